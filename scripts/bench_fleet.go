// The fleet of scripts/bench --scale as a Go program makes it: `bench_fleet FOLDER WORKERS EC|RSA`. Two pairs and four
// files a worker, keys on all processors, batches of 512 made durable by syncfs before they get their names.
package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const batch = 512

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func makeKey(kind string) (crypto.Signer, []byte) {
	if kind == "RSA" {
		key := must(rsa.GenerateKey(rand.Reader, 2048))
		return key, pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	}
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	return key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: must(x509.MarshalECPrivateKey(key))})
}

func certify(template, parent *x509.Certificate, public, signer any) []byte {
	limit := new(big.Int).Lsh(big.NewInt(1), 159)
	template.SerialNumber = must(rand.Int(rand.Reader, limit))
	template.NotBefore, template.NotAfter = time.Now().Add(-5*time.Minute), time.Now().AddDate(1, 0, 0)
	template.BasicConstraintsValid = true
	return must(x509.CreateCertificate(rand.Reader, template, parent, public, signer))
}

func armour(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func main() {
	folder, kind := os.Args[1], os.Args[3]
	workers := must(strconv.Atoi(os.Args[2]))
	caKey, _ := makeKey(kind)
	ca := &x509.Certificate{Subject: pkix.Name{CommonName: "kubernetes"}, IsCA: true, SubjectKeyId: []byte{1},
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature}
	caPEM := armour(certify(ca, ca, caKey.Public(), caKey))
	ca = must(x509.ParseCertificate(must(base64.StdEncoding.DecodeString(base64.StdEncoding.EncodeToString(
		func() []byte { block, _ := pem.Decode(caPEM); return block.Bytes }())))))

	pair := func(number int, usage x509.ExtKeyUsage) ([]byte, []byte) {
		name := fmt.Sprintf("worker-%d", number)
		key, keyPEM := makeKey(kind)
		digest := sha1.Sum(must(x509.MarshalPKIXPublicKey(key.Public())))
		leaf := &x509.Certificate{Subject: pkix.Name{CommonName: "system:node:" + name,
			Organization: []string{"system:nodes"}}, KeyUsage: x509.KeyUsageDigitalSignature,
			ExtKeyUsage: []x509.ExtKeyUsage{usage}, SubjectKeyId: digest[:]}
		if usage == x509.ExtKeyUsageServerAuth {
			leaf.DNSNames = []string{name}
			leaf.IPAddresses = []net.IP{net.IPv4(10, byte(1+number>>16), byte(number>>8), byte(number))}
		}
		return armour(certify(leaf, ca, key.Public(), caKey)), keyPEM
	}
	stage := func(path string, data []byte, mode os.FileMode) {
		must(0, os.MkdirAll(filepath.Dir(path), 0o755))
		must(0, os.WriteFile(path+".new", data, mode))
	}
	syncAll := func() {
		root := must(os.Open(folder))
		if _, _, code := syscall.Syscall(306, root.Fd(), 0, 0); code != 0 { // syncfs(2) on amd64
			panic(code)
		}
		root.Close()
	}
	text := base64.StdEncoding.EncodeToString
	for start := 0; start < workers; start += batch {
		end := min(start+batch, workers)
		paths := make([][]string, end-start)
		var group sync.WaitGroup
		for part := range runtime.NumCPU() {
			group.Add(1)
			go func() {
				defer group.Done()
				for number := start + part; number < end; number += runtime.NumCPU() {
					top := fmt.Sprintf("%s/nodes/worker-%d/", folder, number)
					client, clientKey := pair(number, x509.ExtKeyUsageClientAuth)
					server, serverKey := pair(number, x509.ExtKeyUsageServerAuth)
					config := fmt.Sprintf("apiVersion: v1\nkind: Config\nclusters:\n- name: kubernetes\n  cluster:\n    "+
						"certificate-authority-data: %s\n    server: https://10.0.0.10:6443\nusers:\n- name: me\n  user:\n"+
						"    client-certificate-data: %s\n    client-key-data: %s\ncontexts:\n- name: it\n  context:\n"+
						"    cluster: kubernetes\n    user: me\ncurrent-context: it\n", text(caPEM), text(client), text(clientKey))
					files := []string{top + "etc/kubernetes/pki/ca.crt", top + "etc/kubernetes/kubelet.conf",
						top + "var/lib/kubelet/pki/kubelet.crt", top + "var/lib/kubelet/pki/kubelet.key"}
					stage(files[0], caPEM, 0o644)
					stage(files[1], []byte(config), 0o600)
					stage(files[2], server, 0o644)
					stage(files[3], serverKey, 0o600)
					paths[number-start] = files
				}
			}()
		}
		group.Wait()
		syncAll()
		for _, files := range paths {
			for _, path := range files {
				must(0, os.Rename(path+".new", path))
			}
		}
		syncAll()
	}
}
