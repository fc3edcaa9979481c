package main

import (
	goruntime "runtime"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	virtv1 "kubevirt.io/api/core/v1"
	"kubevirt.io/kubevirt/pkg/virt-operator/resource/generate/components"
	"kubevirt.io/kubevirt/pkg/virt-operator/resource/generate/rbac"
)

// installation is what has to exist before virt-api and virt-controller start: the namespace, the access rules of their
// service accounts and of kubevirt-handler (the node's identity), the configuration, and the name the API server finds
// virt-api under.
func installation() []runtime.Object {
	objects := []runtime.Object{
		&corev1.Namespace{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
			ObjectMeta: metav1.ObjectMeta{Name: namespace},
		},
	}
	objects = append(objects, rbac.GetAllCluster()...)
	objects = append(objects, rbac.GetAllApiServer(namespace)...)
	objects = append(objects, rbac.GetAllController(namespace, true)...)
	objects = append(objects, rbac.GetAllHandler(namespace)...)
	return append(objects, configuration(), authority(), apiService())
}

// configuration is the KubeVirt object. Emulation is on: no node of the lab has hardware virtualization to offer, and
// without it virt-controller asks the launcher pod for the device devices.kubevirt.io/kvm.
func configuration() runtime.Object {
	return &virtv1.KubeVirt{
		TypeMeta:   metav1.TypeMeta{APIVersion: virtv1.GroupVersion.String(), Kind: "KubeVirt"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "kubevirt"},
		Spec: virtv1.KubeVirtSpec{
			Configuration: virtv1.KubeVirtConfiguration{
				DeveloperConfiguration: &virtv1.DeveloperConfiguration{UseEmulation: true},
			},
		},
	}
}

// configured is the status virt-operator would write. Until it has a phase the configuration is not read at all, and the
// default architecture is read from here alone (pkg/virt-config/configuration.go, GetConfigFromKubeVirtCR and
// setConfigFromKubeVirt; pkg/virt-operator/util/config.go, SetDefaultArchitecture).
func configured() runtime.Object {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": virtv1.GroupVersion.String(),
		"kind":       "KubeVirt",
		"metadata":   map[string]any{"namespace": namespace, "name": "kubevirt"},
		"status": map[string]any{
			"phase":               string(virtv1.KubeVirtPhaseDeployed),
			"defaultArchitecture": goruntime.GOARCH,
		},
	}}
}

// authority is the bundle virt-api checks the certificates of nodes against. It stays empty: no node calls here. virt-api
// waits for the object, not for its content.
func authority() runtime.Object {
	return &corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "kubevirt-ca"},
		Data:       map[string]string{"ca-bundle": ""},
	}
}

// apiService names the machine itself, so that the aggregated API leads to a process beside the API server.
func apiService() runtime.Object {
	return &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: components.VirtApiServiceName},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "localhost"},
	}
}
