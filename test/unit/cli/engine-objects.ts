// Objects of the Engine API for the tests of the command.

import type { EngineNode, EnginePortConfig, EngineService, EngineTask } from "../../../src/cli/engine.ts";
import { secondsAgo } from "./support.ts";

/** A name padded to an ID of 25 characters. */
function idOf(name: string): string {
  return name.padEnd(25, "0");
}

export function port(
  target: number,
  published: number,
  mode: "ingress" | "host" = "ingress",
): EnginePortConfig {
  return { Protocol: "tcp", TargetPort: target, PublishedPort: published, PublishMode: mode };
}

export function node(
  hostname: string,
  change: Partial<EngineNode["Status"] & EngineNode["Spec"]> = {},
): EngineNode {
  return {
    ID: idOf(`node${hostname}x`),
    Version: { Index: 7 },
    CreatedAt: secondsAgo(3_600),
    Spec: { Role: "worker", Availability: change.Availability ?? "active", Labels: change.Labels ?? {} },
    Description: {
      Hostname: hostname,
      Platform: { Architecture: "x86_64", OS: "linux" },
      Resources: { NanoCPUs: 2e9, MemoryBytes: 4 * 2 ** 30 },
      Engine: { EngineVersion: "0.1.0" },
    },
    Status: { State: change.State ?? "ready", Addr: "127.0.0.2", Message: change.Message ?? "" },
  };
}

export type ServiceChange = {
  readonly image?: string;
  readonly replicas?: number;
  readonly global?: boolean;
  readonly ports?: EnginePortConfig[];
  readonly maxPerNode?: number;
  readonly running?: number;
};

export function service(name: string, change: ServiceChange = {}): EngineService {
  const replicas = change.replicas ?? 2;
  const ports = change.ports ?? [];
  return {
    ID: idOf(`svc${name}`.replace(/[^0-9a-z]/g, "")),
    Version: { Index: 12 },
    Spec: {
      Name: name,
      Labels: { team: "web" },
      TaskTemplate: {
        ContainerSpec: { Image: change.image ?? "waggle/whoami:latest", Env: ["A=b"], Init: false },
        Placement: {
          Constraints: ["node.role==worker"],
          ...(change.maxPerNode && { MaxReplicas: change.maxPerNode }),
        },
        ForceUpdate: 0,
        LogDriver: { Name: "none" },
      },
      Mode: change.global ? { Global: {} } : { Replicated: { Replicas: replicas } },
      EndpointSpec: { Mode: "vip", Ports: ports },
    },
    Endpoint: { Ports: ports },
    ServiceStatus: { RunningTasks: change.running ?? replicas, DesiredTasks: replicas },
  };
}

export type TaskChange = {
  readonly service?: EngineService;
  readonly slot?: number;
  readonly node?: EngineNode;
  readonly state?: string;
  readonly desired?: string;
  readonly ageSeconds?: number;
  readonly err?: string;
  readonly ports?: EnginePortConfig[];
};

export function task(name: string, change: TaskChange = {}): EngineTask {
  const age = change.ageSeconds ?? 8;
  return {
    ID: idOf(`task${name}`),
    ServiceID: (change.service ?? service("my-web")).ID,
    ...(change.node && { NodeID: change.node.ID }),
    ...(change.slot !== undefined && { Slot: change.slot }),
    CreatedAt: secondsAgo(age + 5),
    Spec: { ContainerSpec: { Image: "waggle/whoami:latest" } },
    DesiredState: change.desired ?? "running",
    Status: {
      Timestamp: secondsAgo(age),
      State: change.state ?? "running",
      Err: change.err ?? "",
      ...(change.ports && { PortStatus: { Ports: change.ports } }),
    },
  };
}
