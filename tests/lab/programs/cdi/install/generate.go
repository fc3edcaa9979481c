package main

import (
	"fmt"
	"sort"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"kubevirt.io/containerized-data-importer/pkg/operator/resources"
	"kubevirt.io/containerized-data-importer/pkg/operator/resources/cluster"
	"kubevirt.io/containerized-data-importer/pkg/operator/resources/namespaced"
)

// namespace is where CDI's own programs live.
const namespace = "cdi"

// Groups of objects that CDI's operator makes (pkg/operator/resources). Left out: uploads through a proxy, which nothing of
// the lab asks for.
var (
	wholeCluster = []string{"apiserver-rbac", "controller-rbac", "cronjob-rbac", "aggregate-roles"}
	inNamespace  = []string{"apiserver", "controller", "cronjob"}
)

func generate(registry, tag string) (map[string][]runtime.Object, error) {
	definitions, err := definitions()
	if err != nil {
		return nil, err
	}
	objects := []runtime.Object{
		&corev1.Namespace{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
			ObjectMeta: metav1.ObjectMeta{Name: namespace},
		},
		configuration(),
	}
	certificates, bundle, err := certificates()
	if err != nil {
		return nil, err
	}
	objects = append(objects, certificates...)
	whole := &cluster.FactoryArgs{Namespace: namespace}
	for _, group := range wholeCluster {
		made, err := cluster.CreateStaticResourceGroup(group, whole)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", group, err)
		}
		objects = append(objects, list(made)...)
	}
	image := func(name string) string { return registry + "/" + name + ":" + tag }
	inside := &namespaced.FactoryArgs{
		OperatorVersion:   tag,
		ControllerImage:   image("cdi-controller"),
		APIServerImage:    image("cdi-apiserver"),
		ImporterImage:     image("cdi-importer"),
		ClonerImage:       image("cdi-cloner"),
		UploadServerImage: image("cdi-uploadserver"),
		// Never started: it reads from a system of another maker.
		OvirtPopulatorImage: image("ovirt-populator"),
		Verbosity:           "1",
		PullPolicy:          string(corev1.PullIfNotPresent),
		Namespace:           namespace,
		ControllerReplicas:  1,
		APIServerReplicas:   1,
	}
	for _, group := range inNamespace {
		made, err := namespaced.CreateResourceGroup(group, inside)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", group, err)
		}
		objects = append(objects, list(made)...)
	}
	for _, object := range objects {
		if deployment, ok := object.(*appsv1.Deployment); ok {
			hasten(&deployment.Spec.Template.Spec)
		}
	}
	registrations, err := cluster.CreateAllDynamicResources(whole)
	if err != nil {
		return nil, err
	}
	for _, registration := range registrations {
		trust(registration, bundle)
	}
	return map[string][]runtime.Object{
		"definitions":   definitions,
		"objects":       objects,
		"registrations": list(registrations),
	}, nil
}

func definitions() ([]runtime.Object, error) {
	var names []string
	for name := range resources.CDICRDs {
		names = append(names, name)
	}
	sort.Strings(names)
	var objects []runtime.Object
	for _, name := range names {
		definition := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(resources.CDICRDs[name]), &definition.Object); err != nil {
			return nil, fmt.Errorf("definition %s: %w", name, err)
		}
		objects = append(objects, definition)
	}
	return objects, nil
}

// configuration is the CDI object, which cdi-controller takes its settings from: CDIConfig follows it because of the
// annotation (pkg/controller/config-controller.go, AnnConfigAuthority).
func configuration() runtime.Object {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "cdi.kubevirt.io/v1beta1",
		"kind":       "CDI",
		"metadata": map[string]any{
			"name":        "cdi",
			"annotations": map[string]any{"cdi.kubevirt.io/configAuthority": ""},
		},
		"spec": map[string]any{
			"config": map[string]any{"featureGates": []any{"HonorWaitForFirstConsumer"}},
		},
	}}
}

// hasten makes a pod's readiness seen within a second: a test waits for it.
func hasten(pod *corev1.PodSpec) {
	for number := range pod.Containers {
		if probe := pod.Containers[number].ReadinessProbe; probe != nil {
			probe.InitialDelaySeconds, probe.PeriodSeconds = 1, 1
		}
	}
}

// trust names the authority that signed cdi-apiserver's certificate.
func trust(registration client.Object, bundle []byte) {
	switch registration := registration.(type) {
	case *apiregistrationv1.APIService:
		registration.Spec.CABundle = bundle
	case *admissionv1.ValidatingWebhookConfiguration:
		for number := range registration.Webhooks {
			registration.Webhooks[number].ClientConfig.CABundle = bundle
		}
	case *admissionv1.MutatingWebhookConfiguration:
		for number := range registration.Webhooks {
			registration.Webhooks[number].ClientConfig.CABundle = bundle
		}
	}
}

func list(objects []client.Object) []runtime.Object {
	converted := make([]runtime.Object, 0, len(objects))
	for _, object := range objects {
		converted = append(converted, object)
	}
	return converted
}
