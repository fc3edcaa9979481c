package main

import (
	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"kubevirt.io/kubevirt/pkg/virt-operator/resource/generate/components"
)

// registrations lead the API server to virt-api: KubeVirt's own webhooks and its subresource API, with the address of the
// process in place of a service of the cluster.
func registrations(where *endpoint) []runtime.Object {
	objects := []runtime.Object{}
	for _, service := range components.NewVirtAPIAPIServices(namespace) {
		service.Spec.Service.Port = &where.port
		service.Spec.CABundle = where.ca
		objects = append(objects, service)
	}

	validating := components.NewVirtAPIValidatingWebhookConfiguration(namespace)
	for i := range validating.Webhooks {
		where.redirect(&validating.Webhooks[i].ClientConfig)
	}
	objects = append(objects, validating)

	mutating := components.NewVirtAPIMutatingWebhookConfiguration(namespace)
	for i := range mutating.Webhooks {
		where.redirect(&mutating.Webhooks[i].ClientConfig)
	}
	objects = append(objects, mutating)

	launcher := components.NewVirtLauncherPodMutatingWebhookConfiguration(namespace)
	for i := range launcher.Webhooks {
		where.redirect(&launcher.Webhooks[i].ClientConfig)
	}
	return append(objects, launcher)
}

func (where *endpoint) redirect(client *admissionv1.WebhookClientConfig) {
	target := *where.url
	if client.Service.Path != nil {
		target.Path = *client.Service.Path
	}
	address := target.String()
	client.URL, client.Service, client.CABundle = &address, nil, where.ca
}
