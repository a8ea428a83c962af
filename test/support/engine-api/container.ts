// GET /containers/ID/json: moby's api/types/container.InspectResponse.

import { z } from "zod";
import { endpointSettings } from "./container-network.ts";
import { containerState, mountPoint } from "./container-summary.ts";
import { hostConfig } from "./host-config.ts";
import {
  type ApiMinor,
  count,
  emptyObject,
  engineId,
  omitempty,
  pointer,
  textMap,
  texts,
  time,
} from "./values.ts";

const health = z.strictObject({
  Status: z.enum(["none", "starting", "healthy", "unhealthy"]),
  FailingStreak: count,
  Log: z.array(z.strictObject({ Start: time, End: time, ExitCode: z.int(), Output: z.string() })).nullable(),
});

const state = z.strictObject({
  Status: containerState,
  Running: z.boolean(),
  Paused: z.boolean(),
  Restarting: z.boolean(),
  OOMKilled: z.boolean(),
  Dead: z.boolean(),
  Pid: count,
  ExitCode: z.int(),
  Error: z.string(),
  StartedAt: time,
  FinishedAt: time,
  Health: pointer(health),
});

const containerConfig = z.strictObject({
  Hostname: z.string(),
  Domainname: z.string(),
  User: z.string(),
  AttachStdin: z.boolean(),
  AttachStdout: z.boolean(),
  AttachStderr: z.boolean(),
  ExposedPorts: omitempty(z.record(z.string(), emptyObject)),
  Tty: z.boolean(),
  OpenStdin: z.boolean(),
  StdinOnce: z.boolean(),
  Env: texts.nullable(),
  Cmd: texts.nullable(),
  Healthcheck: pointer(
    z.strictObject({
      Test: omitempty(texts),
      Interval: omitempty(count),
      Timeout: omitempty(count),
      StartPeriod: omitempty(count),
      StartInterval: omitempty(count),
      Retries: omitempty(count),
    }),
  ),
  Image: z.string(),
  Volumes: z.record(z.string(), emptyObject).nullable(),
  WorkingDir: z.string(),
  Entrypoint: texts.nullable(),
  OnBuild: texts.nullish(),
  Labels: textMap,
  StopSignal: omitempty(z.string()),
  StopTimeout: pointer(count),
});

const portMap = z.record(
  z.string(),
  z.array(z.strictObject({ HostIp: z.string(), HostPort: z.string() })).nullable(),
);

function networkSettings(minor: ApiMinor) {
  return z.strictObject({
    Bridge: z.string(),
    SandboxID: z.string(),
    SandboxKey: z.string(),
    Ports: portMap,
    HairpinMode: z.boolean(),
    LinkLocalIPv6Address: z.string(),
    LinkLocalIPv6PrefixLen: count,
    SecondaryIPAddresses: z.null(),
    SecondaryIPv6Addresses: z.null(),
    EndpointID: z.string(),
    Gateway: z.string(),
    GlobalIPv6Address: z.string(),
    GlobalIPv6PrefixLen: count,
    IPAddress: z.string(),
    IPPrefixLen: count,
    IPv6Gateway: z.string(),
    MacAddress: z.string(),
    Networks: z.record(z.string(), endpointSettings(minor)),
  });
}

export function container(minor: ApiMinor) {
  return z.strictObject({
    Id: engineId,
    Created: time,
    Path: z.string(),
    Args: texts,
    State: state,
    Image: z.string(),
    ResolvConfPath: z.string(),
    HostnamePath: z.string(),
    HostsPath: z.string(),
    LogPath: z.string(),
    Name: z.string().startsWith("/"),
    RestartCount: count,
    Driver: z.string(),
    Platform: z.string(),
    MountLabel: z.string(),
    ProcessLabel: z.string(),
    AppArmorProfile: z.string(),
    ExecIDs: texts.nullable(),
    HostConfig: hostConfig(minor),
    GraphDriver: z.strictObject({ Data: textMap.nullable(), Name: z.string() }),
    SizeRw: count.optional(),
    SizeRootFs: count.optional(),
    Mounts: z.array(mountPoint),
    Config: containerConfig,
    NetworkSettings: networkSettings(minor),
  });
}
