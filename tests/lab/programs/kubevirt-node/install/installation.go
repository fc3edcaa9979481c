package main

import (
	"crypto/tls"
	"fmt"
	"os"
	goruntime "runtime"
	"time"

	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	virtv1 "kubevirt.io/api/core/v1"
	"kubevirt.io/kubevirt/pkg/certificates/bootstrap"
	"kubevirt.io/kubevirt/pkg/virt-operator/resource/generate/components"
	"kubevirt.io/kubevirt/pkg/virt-operator/resource/generate/install"
	"kubevirt.io/kubevirt/pkg/virt-operator/util"
)

const (
	namespace = "kubevirt"
	// As long as a lab's own certificates live.
	lifetime = 365 * 24 * time.Hour
)

// generate is virt-operator's own strategy for a configuration, with certificates, for one replica of everything.
func generate(registry, tag string) (map[string][]runtime.Object, error) {
	// Read by the strategy; no such image is started (pkg/virt-operator/util/config.go).
	for name, value := range map[string]string{
		"VIRT_OPERATOR_IMAGE": registry + "/virt-operator:" + tag,
		"KUBEVIRT_VERSION":    tag,
	} {
		if err := os.Setenv(name, value); err != nil {
			return nil, err
		}
	}
	kubevirt := configuration(registry, tag)
	strategy, err := install.GenerateCurrentInstallStrategy(util.GetTargetConfigFromKV(kubevirt), "", namespace)
	if err != nil {
		return nil, fmt.Errorf("installation: %w", err)
	}
	certificates, bundles, err := certificates(strategy)
	if err != nil {
		return nil, err
	}
	definition, err := components.NewKubeVirtCrd()
	if err != nil {
		return nil, err
	}
	result := map[string][]runtime.Object{
		"definitions": append([]runtime.Object{definition}, list(strategy.CRDs())...),
		"statuses":    {configured()},
	}
	objects := append([]runtime.Object{&corev1.Namespace{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
		ObjectMeta: metav1.ObjectMeta{Name: namespace},
	}, priority(), kubevirt}, certificates...)
	objects = append(objects, list(strategy.ServiceAccounts())...)
	objects = append(objects, list(strategy.ClusterRoles())...)
	objects = append(objects, list(strategy.ClusterRoleBindings())...)
	objects = append(objects, list(strategy.Roles())...)
	objects = append(objects, list(strategy.RoleBindings())...)
	objects = append(objects, list(strategy.Services())...)
	one := int32(1)
	for _, deployment := range append(strategy.ApiDeployments(), strategy.ControllerDeployments()...) {
		deployment.Spec.Replicas = &one
		hasten(&deployment.Spec.Template.Spec)
		objects = append(objects, deployment)
	}
	for _, set := range strategy.DaemonSets() {
		hasten(&set.Spec.Template.Spec)
		objects = append(objects, set)
	}
	result["objects"] = objects
	result["registrations"] = registrations(strategy, bundles[components.KubeVirtCASecretName])
	return result, nil
}

// hasten makes a pod's readiness seen within a second instead of a quarter of a minute: a test waits for it.
//
// It also leaves each port of a container once. virt-operator creates these pods and may name a port twice; who applies
// them from the server's side may not. Only a service for metrics asks for the second names.
func hasten(pod *corev1.PodSpec) {
	for number := range pod.Containers {
		container := &pod.Containers[number]
		if probe := container.ReadinessProbe; probe != nil {
			probe.InitialDelaySeconds, probe.PeriodSeconds = 1, 1
		}
		seen := map[string]bool{}
		var ports []corev1.ContainerPort
		for _, port := range container.Ports {
			key := fmt.Sprintf("%d/%s", port.ContainerPort, port.Protocol)
			if !seen[key] {
				seen[key] = true
				ports = append(ports, port)
			}
		}
		container.Ports = ports
	}
}

// configuration is the KubeVirt object. Emulation is on: a node of the lab never has hardware virtualization to offer.
func configuration(registry, tag string) *virtv1.KubeVirt {
	return &virtv1.KubeVirt{
		TypeMeta:   metav1.TypeMeta{APIVersion: virtv1.GroupVersion.String(), Kind: "KubeVirt"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "kubevirt"},
		Spec: virtv1.KubeVirtSpec{
			ImageRegistry:   registry,
			ImageTag:        tag,
			ImagePullPolicy: corev1.PullIfNotPresent,
			Configuration: virtv1.KubeVirtConfiguration{
				DeveloperConfiguration: &virtv1.DeveloperConfiguration{UseEmulation: true},
			},
		},
	}
}

// configured is the status virt-operator would write. Without a phase the configuration is not read at all, and without an
// architecture no machine starts that does not name its own (pkg/virt-config/configuration.go, GetConfigFromKubeVirtCR).
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

// priority is the class KubeVirt's own pods name; it is part of KubeVirt's release and not of the strategy.
func priority() runtime.Object {
	return &schedulingv1.PriorityClass{
		TypeMeta:    metav1.TypeMeta{APIVersion: "scheduling.k8s.io/v1", Kind: "PriorityClass"},
		ObjectMeta:  metav1.ObjectMeta{Name: "kubevirt-cluster-critical"},
		Value:       1_000_000_000,
		Description: "KubeVirt's own pods",
	}
}

// certificates are the secrets virt-operator makes, signed by authorities made here, and the bundles that show those.
func certificates(strategy install.StrategyInterface) ([]runtime.Object, map[string][]byte, error) {
	duration := &metav1.Duration{Duration: lifetime}
	authorities, bundles := map[string]*tls.Certificate{}, map[string][]byte{}
	var objects []runtime.Object
	for _, secret := range strategy.CertificateSecrets() {
		switch secret.Name {
		case components.KubeVirtCASecretName, components.KubeVirtExportCASecretName, components.KubeVirtBackupCASecretName:
			if err := components.PopulateSecretWithCertificate(secret, nil, duration); err != nil {
				return nil, nil, fmt.Errorf("%s: %w", secret.Name, err)
			}
			authority, err := components.LoadCertificates(secret)
			if err != nil {
				return nil, nil, fmt.Errorf("%s: %w", secret.Name, err)
			}
			authorities[secret.Name], bundles[secret.Name] = authority, secret.Data[bootstrap.CertBytesValue]
			objects = append(objects, secret)
		}
	}
	for _, secret := range strategy.CertificateSecrets() {
		if authorities[secret.Name] != nil {
			continue
		}
		authority := authorities[components.KubeVirtCASecretName]
		if secret.Name == components.VirtExportProxyCertSecretName {
			authority = authorities[components.KubeVirtExportCASecretName]
		}
		if err := components.PopulateSecretWithCertificate(secret, authority, duration); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", secret.Name, err)
		}
		objects = append(objects, secret)
	}
	seen := map[string]bool{}
	for _, bundle := range strategy.ConfigMaps() {
		if !seen[bundle.Name] {
			seen[bundle.Name] = true
			bundle.Data = map[string]string{components.CABundleKey: string(bundles[bundle.Name])}
			objects = append(objects, bundle)
		}
	}
	return objects, bundles, nil
}

// registrations are webhooks and aggregated APIs of virt-api; virt-operator's own webhooks are left out with it.
func registrations(strategy install.StrategyInterface, bundle []byte) []runtime.Object {
	var objects []runtime.Object
	for _, hooks := range strategy.ValidatingWebhookConfigurations() {
		if hooks.Name == components.KubeVirtOperatorValidatingWebhookName {
			continue
		}
		for number := range hooks.Webhooks {
			hooks.Webhooks[number].ClientConfig.CABundle = bundle
		}
		objects = append(objects, hooks)
	}
	for _, hooks := range strategy.MutatingWebhookConfigurations() {
		if hooks.Name != components.VirtAPIMutatingWebhookName {
			continue
		}
		for number := range hooks.Webhooks {
			hooks.Webhooks[number].ClientConfig.CABundle = bundle
		}
		objects = append(objects, hooks)
	}
	for _, service := range strategy.APIServices() {
		service.Spec.CABundle = bundle
		objects = append(objects, service)
	}
	return objects
}

func list[T runtime.Object](objects []T) []runtime.Object {
	converted := make([]runtime.Object, 0, len(objects))
	for _, object := range objects {
		converted = append(converted, object)
	}
	return converted
}
