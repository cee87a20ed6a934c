// Go's verdict on the chains that arrive on stdin, a JSON object each; with an argument, on private keys in PEM, a JSON
// string in base64 each. Each answer is a line of JSON on stdout.
package main

import (
	"bufio"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log"
	"os"
	"time"
)

type question struct {
	Leaf             []byte
	Roots, Untrusted [][]byte
	Purpose          string
	Hostname         string
	At               int64 // seconds since 1970, UTC
}

type answer struct {
	OK     bool   `json:"ok"`
	Reason string `json:"reason"`
}

var usages = map[string]x509.ExtKeyUsage{
	"sslserver": x509.ExtKeyUsageServerAuth,
	"sslclient": x509.ExtKeyUsageClientAuth,
	"any":       x509.ExtKeyUsageAny,
}

// pool parses one by one, as a component reads its CA file and as crypto/tls reads what the peer has sent.
func pool(certificates [][]byte) (*x509.CertPool, error) {
	all := x509.NewCertPool()
	for _, der := range certificates {
		one, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		all.AddCert(one)
	}
	return all, nil
}

func verify(q question) error {
	roots, err := pool(q.Roots)
	if err != nil {
		return err
	}
	leaf, err := x509.ParseCertificate(q.Leaf)
	if err != nil {
		return err
	}
	untrusted, err := pool(q.Untrusted)
	if err != nil {
		return err
	}
	_, err = leaf.Verify(x509.VerifyOptions{
		Roots:         roots,
		Intermediates: untrusted,
		DNSName:       q.Hostname,
		KeyUsages:     []x509.ExtKeyUsage{usages[q.Purpose]},
		CurrentTime:   time.Unix(q.At, 0).UTC(),
	})
	return err
}

// each answers one question after the other, from stdin to stdout.
func each[Question any, Answer any](judged func(Question) Answer) {
	in, out := json.NewDecoder(bufio.NewReader(os.Stdin)), bufio.NewWriter(os.Stdout)
	for {
		var q Question
		if err := in.Decode(&q); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			log.Fatal(err)
		}
		if err := json.NewEncoder(out).Encode(judged(q)); err != nil {
			log.Fatal(err)
		}
	}
	if err := out.Flush(); err != nil {
		log.Fatal(err)
	}
}

func main() {
	if len(os.Args) == 1 {
		each(func(q question) answer {
			if err := verify(q); err != nil {
				return answer{Reason: err.Error()}
			}
			return answer{OK: true}
		})
		return
	}
	certificate, err := stranger()
	if err != nil {
		log.Fatal(err)
	}
	each(func(data []byte) keyAnswer { return judgeKey(certificate, data) })
}
