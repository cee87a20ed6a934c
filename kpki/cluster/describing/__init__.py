"""What a description may say: its fields, and kubeadm's documents."""
