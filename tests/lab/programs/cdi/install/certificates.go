package main

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"kubevirt.io/containerized-data-importer/pkg/operator/resources/cert"
	certutil "kubevirt.io/containerized-data-importer/pkg/util/cert"
	"kubevirt.io/containerized-data-importer/pkg/util/cert/triple"
)

// certificates are the secrets and bundles CDI's operator makes and renews; these are good for a year, as a lab's own. The
// second result shows who signed cdi-apiserver's.
func certificates() ([]runtime.Object, []byte, error) {
	var objects []runtime.Object
	var trusted []byte
	for _, definition := range cert.CreateCertificateDefinitions(&cert.FactoryArgs{Namespace: namespace}) {
		name := definition.SignerSecret.Name
		authority, err := triple.NewCA(name)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
		bundle := certutil.EncodeCertPEM(authority.Cert)
		definition.CertBundleConfigmap.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"}
		definition.CertBundleConfigmap.Data = map[string]string{"ca-bundle.crt": string(bundle)}
		objects = append(objects, keep(definition.SignerSecret, authority), definition.CertBundleConfigmap)
		var pair *triple.KeyPair
		switch {
		case definition.TargetService != nil:
			service := *definition.TargetService
			if service == "cdi-api" {
				trusted = bundle
			}
			pair, err = triple.NewServerKeyPair(authority, service+"."+namespace, service, namespace, "cluster.local", nil, nil)
		case definition.TargetUser != nil:
			pair, err = triple.NewClientKeyPair(authority, *definition.TargetUser, nil)
		default:
			continue
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", definition.TargetSecret.Name, err)
		}
		objects = append(objects, keep(definition.TargetSecret, pair))
	}
	key, err := signingKey()
	if err != nil {
		return nil, nil, fmt.Errorf("signing key: %w", err)
	}
	objects = append(objects, key)
	if trusted == nil {
		return nil, nil, fmt.Errorf("no certificate is for the service cdi-api")
	}
	return objects, trusted, nil
}

func keep(secret *corev1.Secret, pair *triple.KeyPair) *corev1.Secret {
	secret.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}
	secret.Data = map[string][]byte{
		"tls.crt": certutil.EncodeCertPEM(pair.Cert),
		"tls.key": certutil.EncodePrivateKeyPEM(pair.Key),
	}
	return secret
}

// signingKey is what cdi-apiserver signs its permissions with. It would make the key itself, and cdi-controller, which reads
// it at its start, would be started again and again until then (pkg/keys/keystore.go).
func signingKey() (*corev1.Secret, error) {
	key, err := certutil.NewPrivateKey()
	if err != nil {
		return nil, err
	}
	public, err := certutil.EncodePublicKeyPEM(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	return &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "cdi-api-signing-key"},
		Data:       map[string][]byte{"id_rsa": certutil.EncodePrivateKeyPEM(key), "id_rsa.pub": public},
	}, nil
}
