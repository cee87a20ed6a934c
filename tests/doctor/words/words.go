// Provokes the errors of crypto/x509 and crypto/tls and prints them as JSON: "cause: case" → words.
package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"time"
)

var now = time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)
var serial int64

type pair struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func newKey() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) }

func template(name string) *x509.Certificate {
	serial++
	return &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
		NotBefore: now.AddDate(0, 0, -1), NotAfter: now.AddDate(1, 0, 0)}
}

func sign(made *x509.Certificate, key *ecdsa.PrivateKey, by *pair) *pair {
	parent, signer := made, key
	if by != nil {
		parent, signer = by.certificate, by.key
	}
	der := must(x509.CreateCertificate(rand.Reader, made, parent, key.Public(), signer))
	return &pair{must(x509.ParseCertificate(der)), key}
}

func authority(name string, change func(*x509.Certificate), by *pair) *pair {
	made := template(name)
	made.IsCA, made.BasicConstraintsValid = true, true
	made.KeyUsage = x509.KeyUsageCertSign
	if change != nil {
		change(made)
	}
	return sign(made, newKey(), by)
}

func leaf(by *pair, change func(*x509.Certificate)) *pair {
	made := template("server")
	made.DNSNames, made.IPAddresses = []string{"cp-1"}, []net.IP{net.ParseIP("10.0.0.10")}
	made.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	if change != nil {
		change(made)
	}
	return sign(made, newKey(), by)
}

func pool(pairs ...*pair) *x509.CertPool {
	found := x509.NewCertPool()
	for _, pair := range pairs {
		found.AddCert(pair.certificate)
	}
	return found
}

func verify(made, root *pair, name string, between ...*pair) string {
	_, err := made.certificate.Verify(x509.VerifyOptions{Roots: pool(root), Intermediates: pool(between...),
		DNSName: name, CurrentTime: now})
	if err == nil {
		return "accepted"
	}
	return err.Error()
}

func of(pair *pair) tls.Certificate {
	return tls.Certificate{Certificate: [][]byte{pair.certificate.Raw}, PrivateKey: pair.key}
}

// What the client and the server of a handshake say.
func shake(client, server *tls.Config) (string, string) {
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	defer listener.Close()
	said := make(chan string, 1)
	go func() {
		connection := must(listener.Accept())
		defer connection.Close()
		end := tls.Server(connection, server)
		err := end.Handshake()
		if err == nil {
			end.Write([]byte("x"))
			said <- "accepted"
		} else {
			said <- err.Error()
		}
	}()
	connection := must(net.Dial("tcp", listener.Addr().String()))
	defer connection.Close()
	end := tls.Client(connection, client)
	err := end.Handshake()
	if err == nil {
		_, err = end.Read(make([]byte, 1))
	}
	words := "accepted"
	if err != nil {
		words = err.Error()
	}
	return words, <-said
}

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func load(certificate, key []byte) string {
	_, err := tls.X509KeyPair(certificate, key)
	if err == nil {
		return "accepted"
	}
	return err.Error()
}

func parse(der []byte) string {
	_, err := x509.ParseCertificate(der)
	if err == nil {
		return "accepted"
	}
	return err.Error()
}

func main() {
	words := map[string]string{}
	ca, other := authority("kubernetes", nil, nil), authority("another", nil, nil)
	twin, good := authority("kubernetes", nil, nil), leaf(ca, nil)
	words["missing-san-ip: another address"] = verify(good, ca, "10.0.0.11")
	words["missing-san-ip: no address"] = verify(leaf(ca, func(made *x509.Certificate) { made.IPAddresses = nil }), ca, "10.0.0.10")
	words["missing-san-dns: another name"] = verify(good, ca, "kubernetes.default.svc")
	words["missing-san-dns: many names"] = verify(leaf(ca, func(made *x509.Certificate) {
		for range 101 {
			made.DNSNames = append(made.DNSNames, "a.example.com")
		}
	}), ca, "kubernetes.default.svc")
	words["legacy-cn-no-san: name in the CN"] = verify(leaf(ca, func(made *x509.Certificate) {
		made.Subject.CommonName, made.DNSNames, made.IPAddresses = "cp-1", nil, nil
	}), ca, "cp-1")
	words["missing-san-dns: no name"] = verify(leaf(ca, func(made *x509.Certificate) {
		made.DNSNames, made.IPAddresses = nil, nil
	}), ca, "cp-1")
	words["unknown-authority: another CA"] = verify(good, other, "cp-1")
	words["unknown-authority: a CA of the same name"] = verify(good, twin, "cp-1")
	past := func(made *x509.Certificate) { made.NotAfter = now.Add(-time.Hour) }
	later := func(made *x509.Certificate) { made.NotBefore = now.Add(time.Hour) }
	words["expired-server-cert: leaf"] = verify(leaf(ca, past), ca, "cp-1")
	words["not-yet-valid: leaf"] = verify(leaf(ca, later), ca, "cp-1")
	ended := authority("ended", past, nil)
	words["expired-ca: CA"] = verify(leaf(ended, nil), ended, "cp-1")
	clientOnly := leaf(ca, func(made *x509.Certificate) { made.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
	serverOnly := leaf(ca, func(made *x509.Certificate) { made.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })
	words["wrong-eku: client's as server's"] = verify(clientOnly, ca, "cp-1")
	noCA := leaf(ca, nil)
	words["ca-not-a-ca: a leaf signs"] = verify(leaf(noCA, nil), noCA, "cp-1")
	short := authority("short", func(made *x509.Certificate) { made.MaxPathLenZero = true }, nil)
	middle := authority("middle", nil, short)
	words["chain-depth: pathlen 0"] = verify(leaf(middle, nil), short, "cp-1", middle)
	strict := authority("strict", func(made *x509.Certificate) {
		made.PermittedDNSDomains, made.PermittedDNSDomainsCritical = []string{"example.com"}, true
	}, nil)
	words["malformed-x509: name constraints"] = verify(leaf(strict, nil), strict, "cp-1")
	words["malformed-x509: critical extension"] = verify(leaf(ca, func(made *x509.Certificate) {
		made.ExtraExtensions = []pkix.Extension{{Id: []int{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}}
	}), ca, "cp-1")
	words["malformed-x509: cut"] = parse(good.certificate.Raw[:100])
	words["malformed-x509: trailing"] = parse(append(bytes.Clone(good.certificate.Raw), 0))
	words["malformed-x509: no certificate"] = parse([]byte{0x30, 3, 2, 1, 1})

	der := must(x509.MarshalECPrivateKey(good.key))
	certificate, key := block("CERTIFICATE", good.certificate.Raw), block("EC PRIVATE KEY", der)
	words["bad-pem: empty certificate"] = load(nil, key)
	words["bad-pem: empty key"] = load(certificate, nil)
	words["bad-pem: a request"] = load(block("CERTIFICATE REQUEST", good.certificate.Raw), key)
	words["bad-pem: parameters alone"] = load(certificate, block("EC PARAMETERS", der))
	words["key-cert-mismatch: another key"] = load(certificate, block("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(newKey()))))
	words["key-cert-mismatch: another kind"] = load(certificate, block("RSA PRIVATE KEY",
		x509.MarshalPKCS1PrivateKey(must(rsa.GenerateKey(rand.Reader, 2048)))))
	words["key-cert-mismatch: the two swapped"] = load(key, certificate)
	words["key-cert-mismatch: the certificate twice"] = load(certificate, certificate)
	words["encrypted-key: no key inside"] = load(certificate, block("ENCRYPTED PRIVATE KEY", []byte{1, 2, 3}))

	trusting := func(change func(*tls.Config)) *tls.Config {
		found := &tls.Config{RootCAs: pool(ca), ServerName: "cp-1", Time: func() time.Time { return now }}
		if change != nil {
			change(found)
		}
		return found
	}
	asking := func(pair *pair) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{of(pair)}, ClientCAs: pool(ca),
			ClientAuth: tls.RequireAndVerifyClientCert, Time: func() time.Time { return now }}
	}
	showing := func(pair *pair) *tls.Config {
		return trusting(func(config *tls.Config) {
			config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				found := of(pair)
				return &found, nil
			}
		})
	}
	for _, old := range []bool{false, true} {
		version := "1.3"
		with := func(config *tls.Config) *tls.Config {
			if old {
				config.MaxVersion = tls.VersionTLS12
			}
			return config
		}
		if old {
			version = "1.2"
		}
		client, server := shake(with(trusting(nil)), asking(good))
		words["client-cert-not-presented: server, "+version] = server
		if !old { // TLS 1.2 has no alert of its own for this
			words["client-cert-not-presented: client, "+version] = client
		}
		client, server = shake(with(showing(leaf(other, nil))), asking(good))
		words["remote-alert: client of another CA, "+version] = client
		words["unknown-authority: client of another CA at the server, "+version] = server
		client, server = shake(with(showing(leaf(ca, past))), asking(good))
		words["remote-alert: ended client, "+version] = client
		words["expired-client-cert: ended client at the server, "+version] = "http: TLS handshake error from 10.0.0.2:1: " + server
		client, server = shake(with(showing(serverOnly)), asking(good))
		words["wrong-eku: server's as client's, "+version] = server
		client, server = shake(with(trusting(nil)), &tls.Config{Certificates: []tls.Certificate{of(leaf(other, nil))}})
		words["unknown-authority: server of another CA, "+version] = client
		words["remote-alert: server of another CA, "+version] = server
		client, server = shake(with(trusting(nil)), &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return nil, nil
		}})
		words["-: server without a certificate, "+version] = client
	}
	must(os.Stdout.Write(must(json.MarshalIndent(words, "", ""))))
}
