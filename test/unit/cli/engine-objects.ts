// Objects of the Engine API as a mesh would send them, for the tests of the command.

import type { EngineNode, EnginePortConfig, EngineService, EngineTask } from "../../../src/cli/engine.ts";
import { secondsAgo } from "./support.ts";

/** Ids are 25 characters 0-9a-z. */
export function idOf(name: string): string {
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
  over: Partial<EngineNode["Status"] & EngineNode["Spec"]> = {},
): EngineNode {
  return {
    ID: idOf(`node${hostname}x`),
    Version: { Index: 7 },
    CreatedAt: secondsAgo(3_600),
    Spec: { Role: "worker", Availability: over.Availability ?? "active", Labels: over.Labels ?? {} },
    Description: {
      Hostname: hostname,
      Platform: { Architecture: "x86_64", OS: "linux" },
      Resources: { NanoCPUs: 2e9, MemoryBytes: 4 * 2 ** 30 },
      Engine: { EngineVersion: "0.1.0" },
    },
    Status: { State: over.State ?? "ready", Addr: "127.0.0.2", Message: over.Message ?? "" },
  };
}

export type ServiceOver = {
  readonly image?: string;
  readonly replicas?: number;
  readonly global?: boolean;
  readonly ports?: EnginePortConfig[];
  readonly maxPerNode?: number;
  readonly running?: number;
};

export function service(name: string, over: ServiceOver = {}): EngineService {
  const replicas = over.replicas ?? 2;
  const ports = over.ports ?? [];
  return {
    ID: idOf(`svc${name}`.replace(/[^0-9a-z]/g, "")),
    Version: { Index: 12 },
    Spec: {
      Name: name,
      Labels: { team: "web" },
      TaskTemplate: {
        ContainerSpec: { Image: over.image ?? "waggle/whoami:latest", Env: ["A=b"], Init: false },
        Placement: {
          Constraints: ["node.role==worker"],
          ...(over.maxPerNode && { MaxReplicas: over.maxPerNode }),
        },
        ForceUpdate: 0,
        LogDriver: { Name: "none" },
      },
      Mode: over.global ? { Global: {} } : { Replicated: { Replicas: replicas } },
      EndpointSpec: { Mode: "vip", Ports: ports },
    },
    Endpoint: { Ports: ports },
    ServiceStatus: { RunningTasks: over.running ?? replicas, DesiredTasks: replicas },
  };
}

export type TaskOver = {
  readonly service?: EngineService;
  readonly slot?: number;
  readonly node?: EngineNode;
  readonly state?: string;
  readonly desired?: string;
  readonly ageSeconds?: number;
  readonly err?: string;
  readonly ports?: EnginePortConfig[];
};

export function task(name: string, over: TaskOver = {}): EngineTask {
  const age = over.ageSeconds ?? 8;
  return {
    ID: idOf(`task${name}`),
    ServiceID: (over.service ?? service("my-web")).ID,
    ...(over.node && { NodeID: over.node.ID }),
    ...(over.slot !== undefined && { Slot: over.slot }),
    CreatedAt: secondsAgo(age + 5),
    Spec: { ContainerSpec: { Image: "waggle/whoami:latest" } },
    DesiredState: over.desired ?? "running",
    Status: {
      Timestamp: secondsAgo(age),
      State: over.state ?? "running",
      Err: over.err ?? "",
      ...(over.ports && { PortStatus: { Ports: over.ports } }),
    },
  };
}
