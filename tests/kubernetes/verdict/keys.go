package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
)

// What is said of a key in PEM: each is "" where Go is content.
type keyAnswer struct {
	Pair  string `json:"pair"`  // tls.X509KeyPair, a certificate of another key aside
	Why   string `json:"why"`   // what it does not say
	Token string `json:"token"` // client-go's keyutil.ParsePrivateKeyPEM
	Signs string `json:"signs"` // a signature by a key that was loaded
}

// A key that is nobody's, and its certificate.
func stranger() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), err
}

// pairFault loads the key beside a certificate that is not its own: if that is all that is wrong, the key was loaded.
func pairFault(certificate, key []byte) string {
	_, err := tls.X509KeyPair(certificate, key)
	if err == nil || err.Error() == "tls: private key does not match public key" ||
		err.Error() == "tls: private key type does not match public key type" {
		return ""
	}
	return err.Error()
}

// tokenKey does what client-go's keyutil does: each block by its label alone, the first that can be read.
func tokenKey(data []byte) error {
	readers := map[string]func([]byte) (any, error){
		"EC PRIVATE KEY":  func(der []byte) (any, error) { return x509.ParseECPrivateKey(der) },
		"RSA PRIVATE KEY": func(der []byte) (any, error) { return x509.ParsePKCS1PrivateKey(der) },
		"PRIVATE KEY":     x509.ParsePKCS8PrivateKey,
	}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if read := readers[block.Type]; read != nil {
			if _, err := read(block.Bytes); err == nil {
				return nil
			}
		}
	}
	return errors.New("data does not contain a valid RSA or ECDSA private key")
}

// load reads the first block as crypto/tls does; with the key, or what is wrong in the form that it has.
func load(data []byte) (any, string) {
	block, rest := pem.Decode(data)
	for block != nil && block.Type != "PRIVATE KEY" && !strings.HasSuffix(block.Type, " PRIVATE KEY") {
		block, rest = pem.Decode(rest)
	}
	if block == nil {
		return nil, ""
	}
	why := ""
	for _, read := range []func([]byte) (any, error){
		func(der []byte) (any, error) { return x509.ParsePKCS1PrivateKey(der) },
		x509.ParsePKCS8PrivateKey,
		func(der []byte) (any, error) { return x509.ParseECPrivateKey(der) },
	} {
		key, err := read(block.Bytes)
		if err == nil {
			return key, ""
		}
		if why == "" && !strings.Contains(err.Error(), "asn1: ") && !strings.Contains(err.Error(), "(use Parse") {
			why = err.Error()
		}
	}
	return nil, why
}

func judgeKey(certificate, data []byte) keyAnswer {
	said := keyAnswer{Pair: pairFault(certificate, data)}
	if err := tokenKey(data); err != nil {
		said.Token = err.Error()
	}
	var key any
	key, said.Why = load(data)
	if signer, ok := key.(crypto.Signer); ok && said.Pair == "" {
		digest, hash := sha256.Sum256(nil), crypto.SHA256
		message := digest[:]
		if _, is := key.(ed25519.PrivateKey); is {
			hash = 0
		}
		if _, err := signer.Sign(rand.Reader, message, hash); err != nil {
			said.Signs = err.Error()
		}
	}
	return said
}
