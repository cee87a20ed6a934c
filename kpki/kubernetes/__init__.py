"""What Kubernetes says about certificates: facts as tables, and judgements by them. No disk."""
