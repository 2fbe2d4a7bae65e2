//go:build tools

// Package tools pins the control plane the tests run against. Nothing is compiled from this file: it
// exists so that `go mod tidy` keeps the modules whose commands test/support/go-build.ts builds.
package tools

import (
	_ "go.etcd.io/etcd/server/v3/etcdmain"
	_ "k8s.io/kubernetes/cmd/kube-apiserver/app"
	_ "k8s.io/kubernetes/cmd/kube-controller-manager/app"
)
