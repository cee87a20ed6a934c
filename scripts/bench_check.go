// A look through a fleet as a Go program does it, which checks less than kpki: `bench_check tree
// FOLDER` reads each worker's files (layout ssl), its pairs and their chains, on all processors.
// `bench_check chains FOLDER COUNT` verifies COUNT leaves in turn, each as a server's, on one.
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func verify(leaf *x509.Certificate, roots *x509.CertPool, name string, usage x509.ExtKeyUsage) {
	must(leaf.Verify(x509.VerifyOptions{
		Roots: roots, DNSName: name, KeyUsages: []x509.ExtKeyUsage{usage}}))
}

func check(tree string, authority []byte, roots *x509.CertPool) {
	folder := filepath.Join(tree, "etc/kubernetes/ssl")
	if !bytes.Equal(must(os.ReadFile(filepath.Join(folder, "ca.pem"))), authority) {
		panic(tree)
	}
	for _, name := range []string{"worker", "kube-proxy"} {
		pair := must(tls.LoadX509KeyPair(filepath.Join(folder, name+".pem"),
			filepath.Join(folder, name+"-key.pem")))
		verify(pair.Leaf, roots, "", x509.ExtKeyUsageClientAuth)
		if name == "worker" {
			verify(pair.Leaf, roots, filepath.Base(tree), x509.ExtKeyUsageServerAuth)
		}
		must(os.ReadFile(filepath.Join(tree, "etc/kubernetes", name+"-kubeconfig.yaml")))
	}
}

func trees(folder string) {
	authority := must(os.ReadFile(filepath.Join(folder, "pki/ca.crt")))
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	work, done := make(chan string), sync.WaitGroup{}
	for range runtime.NumCPU() {
		done.Add(1)
		go func() {
			defer done.Done()
			for tree := range work {
				check(tree, authority, roots)
			}
		}()
	}
	for _, tree := range must(filepath.Glob(filepath.Join(folder, "nodes/worker-*"))) {
		work <- tree
	}
	close(work)
	done.Wait()
}

func chains(folder string, count int) {
	runtime.GOMAXPROCS(1)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(must(os.ReadFile(filepath.Join(folder, "pki/ca.crt"))))
	var leaves [][]byte
	var names []string
	for _, tree := range must(filepath.Glob(filepath.Join(folder, "nodes/worker-*"))) {
		block, _ := pem.Decode(must(os.ReadFile(filepath.Join(tree, "etc/kubernetes/ssl/worker.pem"))))
		leaves, names = append(leaves, block.Bytes), append(names, filepath.Base(tree))
	}
	for number := range count {
		leaf := must(x509.ParseCertificate(leaves[number%len(leaves)]))
		verify(leaf, roots, names[number%len(leaves)], x509.ExtKeyUsageServerAuth)
	}
}

func main() {
	switch os.Args[1] {
	case "tree":
		trees(os.Args[2])
	case "chains":
		chains(os.Args[2], must(strconv.Atoi(os.Args[3])))
	default:
		fmt.Fprintln(os.Stderr, "bench_check: tree FOLDER, or chains FOLDER COUNT")
		os.Exit(2)
	}
}
