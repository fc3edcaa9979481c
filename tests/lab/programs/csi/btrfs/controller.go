package main

import (
	"context"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// controller makes and removes volumes and snapshots.
type controller struct {
	csi.UnimplementedControllerServer
	pool pool
}

func (controller) ControllerGetCapabilities(context.Context, *csi.ControllerGetCapabilitiesRequest) (*csi.ControllerGetCapabilitiesResponse, error) {
	answer := &csi.ControllerGetCapabilitiesResponse{}
	for _, kind := range []csi.ControllerServiceCapability_RPC_Type{
		csi.ControllerServiceCapability_RPC_CREATE_DELETE_VOLUME,
		csi.ControllerServiceCapability_RPC_CREATE_DELETE_SNAPSHOT,
		csi.ControllerServiceCapability_RPC_CLONE_VOLUME,
	} {
		answer.Capabilities = append(answer.Capabilities, &csi.ControllerServiceCapability{
			Type: &csi.ControllerServiceCapability_Rpc{Rpc: &csi.ControllerServiceCapability_RPC{Type: kind}},
		})
	}
	return answer, nil
}

func (c controller) CreateVolume(_ context.Context, request *csi.CreateVolumeRequest) (*csi.CreateVolumeResponse, error) {
	c.pool.lock.Lock()
	defer c.pool.lock.Unlock()
	bytes, limit := request.GetCapacityRange().GetRequiredBytes(), request.GetCapacityRange().GetLimitBytes()
	path := c.pool.volume(request.GetName())
	answer := &csi.CreateVolumeResponse{Volume: &csi.Volume{
		VolumeId: request.GetName(), CapacityBytes: bytes, ContentSource: request.GetVolumeContentSource(),
	}}
	if exists(path) {
		what, err := read(path)
		if err == nil && (what.Bytes < bytes || limit > 0 && what.Bytes > limit) {
			err = status.Errorf(codes.AlreadyExists, "the volume %s has %d bytes", request.GetName(), what.Bytes)
		}
		return answer, err
	}
	from := ""
	switch source := request.GetVolumeContentSource(); {
	case source.GetSnapshot() != nil:
		from = c.pool.snapshot(source.GetSnapshot().GetSnapshotId())
	case source.GetVolume() != nil:
		from = c.pool.volume(source.GetVolume().GetVolumeId())
	}
	if from != "" && !exists(from) {
		return nil, status.Error(codes.NotFound, "there is no such source")
	}
	return answer, c.pool.make(path, from, false, record{Bytes: bytes, Made: time.Now().UTC()})
}

func (c controller) DeleteVolume(_ context.Context, request *csi.DeleteVolumeRequest) (*csi.DeleteVolumeResponse, error) {
	c.pool.lock.Lock()
	defer c.pool.lock.Unlock()
	return &csi.DeleteVolumeResponse{}, remove(c.pool.volume(request.GetVolumeId()))
}

func (c controller) ValidateVolumeCapabilities(_ context.Context, request *csi.ValidateVolumeCapabilitiesRequest) (*csi.ValidateVolumeCapabilitiesResponse, error) {
	if !exists(c.pool.volume(request.GetVolumeId())) {
		return nil, status.Error(codes.NotFound, "there is no such volume")
	}
	return &csi.ValidateVolumeCapabilitiesResponse{Confirmed: &csi.ValidateVolumeCapabilitiesResponse_Confirmed{
		VolumeCapabilities: request.GetVolumeCapabilities(),
	}}, nil
}

func (c controller) CreateSnapshot(_ context.Context, request *csi.CreateSnapshotRequest) (*csi.CreateSnapshotResponse, error) {
	c.pool.lock.Lock()
	defer c.pool.lock.Unlock()
	path, from := c.pool.snapshot(request.GetName()), c.pool.volume(request.GetSourceVolumeId())
	if !exists(path) {
		if !exists(from) {
			return nil, status.Error(codes.NotFound, "there is no such volume")
		}
		what, err := read(from)
		if err != nil {
			return nil, err
		}
		what.Source, what.Made = request.GetSourceVolumeId(), time.Now().UTC()
		if err := c.pool.make(path, from, true, what); err != nil {
			return nil, err
		}
	}
	what, err := read(path)
	if err != nil {
		return nil, err
	}
	if what.Source != request.GetSourceVolumeId() {
		return nil, status.Errorf(codes.AlreadyExists, "the snapshot %s is of another volume", request.GetName())
	}
	return &csi.CreateSnapshotResponse{Snapshot: &csi.Snapshot{
		SnapshotId: request.GetName(), SourceVolumeId: what.Source, SizeBytes: what.Bytes,
		CreationTime: timestamppb.New(what.Made), ReadyToUse: true,
	}}, nil
}

func (c controller) DeleteSnapshot(_ context.Context, request *csi.DeleteSnapshotRequest) (*csi.DeleteSnapshotResponse, error) {
	c.pool.lock.Lock()
	defer c.pool.lock.Unlock()
	return &csi.DeleteSnapshotResponse{}, remove(c.pool.snapshot(request.GetSnapshotId()))
}
