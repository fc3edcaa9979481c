//go:build pins

// Package main, under a tag that is never set: these imports only keep in go.mod and go.sum the modules whose files the
// program reads, so that `go mod tidy` does not drop them.
package main

import (
	_ "github.com/k8snetworkplumbingwg/network-attachment-definition-client/pkg/apis/k8s.cni.cncf.io"
	_ "github.com/kubernetes-csi/external-snapshotter/client/v8/apis/volumesnapshot/v1"
)
