// A server as those of Kubernetes: TLS by Go, with client certificates as the API server (request) or etcd (require)
// asks for them. It prints its address, and serves until its standard input ends.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"time"
)

func main() {
	address := flag.String("address", "127.0.0.1:0", "where to listen")
	certificate, key := flag.String("cert", "", "file"), flag.String("key", "", "file")
	name := flag.String("name", "", "of TLS, for which there is another pair")
	named, namedKey := flag.String("name-cert", "", "file"), flag.String("name-key", "", "file")
	ca := flag.String("ca", "", "file with the CAs of clients")
	clients := flag.String("clients", "none", "none, request or require")
	version := flag.Int("version", 13, "12 or 13")
	reload := flag.Bool("reload", false, "whether to read the pair at each handshake")
	skew := flag.Duration("skew", 0, "how much the clock is fast")
	flag.Parse()
	log.SetOutput(io.Discard)
	pair, err := tls.LoadX509KeyPair(*certificate, *key)
	must(err)
	versions := map[int]uint16{12: tls.VersionTLS12, 13: tls.VersionTLS13}
	config := &tls.Config{MinVersion: versions[*version], MaxVersion: versions[*version]}
	config.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if *name != "" && hello.ServerName == *name {
			other, err := tls.LoadX509KeyPair(*named, *namedKey)
			return &other, err
		}
		if *reload {
			again, err := tls.LoadX509KeyPair(*certificate, *key)
			return &again, err
		}
		return &pair, nil
	}
	if *clients != "none" {
		config.ClientCAs = x509.NewCertPool()
		text, err := os.ReadFile(*ca)
		must(err)
		config.ClientCAs.AppendCertsFromPEM(text)
		config.ClientAuth = tls.RequestClientCert
		if *clients == "require" {
			config.ClientAuth = tls.RequireAndVerifyClientCert
		}
	}
	listener, err := net.Listen("tcp", *address)
	must(err)
	fmt.Println(listener.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	server := &http.Server{Handler: http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		out.Header().Set("Date", time.Now().Add(*skew).UTC().Format(http.TimeFormat))
		if shown := in.TLS.PeerCertificates; len(shown) > 0 {
			_, err := shown[0].Verify(x509.VerifyOptions{Roots: config.ClientCAs, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
			if err != nil {
				out.WriteHeader(http.StatusUnauthorized)
			}
		}
		_, _ = io.WriteString(out, "{}")
	})}
	must(server.Serve(tls.NewListener(listener, config)))
}

func must(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}
