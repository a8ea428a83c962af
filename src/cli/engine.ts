// The Engine API's objects, as far as the CLI reads them. It writes unknown members back unchanged.

export type EnginePortConfig = {
  Name?: string;
  Protocol?: string;
  TargetPort: number;
  PublishedPort?: number;
  PublishMode?: "ingress" | "host";
};

export type EngineSpec = {
  Name: string;
  Labels?: Record<string, string>;
  TaskTemplate: {
    ContainerSpec: {
      Image: string;
      Command?: string[];
      Args?: string[];
      Env?: string[];
      Dir?: string;
      StopSignal?: string;
      /** Nanoseconds, like every duration in these objects. */
      StopGracePeriod?: number;
      [key: string]: unknown;
    };
    Resources?: { Limits?: EngineResources; Reservations?: EngineResources };
    RestartPolicy?: { Condition?: string; Delay?: number; MaxAttempts?: number; Window?: number };
    Placement?: { Constraints?: string[]; MaxReplicas?: number; [key: string]: unknown };
    ForceUpdate?: number;
    [key: string]: unknown;
  };
  Mode?: {
    Replicated?: { Replicas?: number };
    Global?: Record<string, never>;
    ReplicatedJob?: { MaxConcurrent?: number; TotalCompletions?: number };
    GlobalJob?: Record<string, never>;
    [key: string]: unknown;
  };
  UpdateConfig?: { Parallelism?: number; Order?: string; [key: string]: unknown };
  EndpointSpec?: { Mode?: string; Ports?: EnginePortConfig[] };
  [key: string]: unknown;
};

type EngineResources = { NanoCPUs?: number; MemoryBytes?: number; [key: string]: unknown };

export type EngineService = {
  ID: string;
  Version: { Index: number };
  CreatedAt?: string;
  UpdatedAt?: string;
  Spec: EngineSpec;
  PreviousSpec?: EngineSpec;
  Endpoint?: { Ports?: EnginePortConfig[] };
  UpdateStatus?: { State?: string; Message?: string };
  ServiceStatus?: { RunningTasks?: number; DesiredTasks?: number; CompletedTasks?: number };
};

export type EngineTask = {
  ID: string;
  ServiceID: string;
  NodeID?: string;
  Slot?: number;
  CreatedAt?: string;
  Spec: { ContainerSpec?: { Image?: string } };
  DesiredState: string;
  Status: {
    Timestamp?: string;
    State: string;
    Message?: string;
    Err?: string;
    PortStatus?: { Ports?: EnginePortConfig[] };
  };
};

export type EngineNode = {
  ID: string;
  Version: { Index: number };
  CreatedAt?: string;
  Spec: { Role?: string; Availability?: string; Labels?: Record<string, string>; [key: string]: unknown };
  Description?: {
    Hostname?: string;
    Platform?: { Architecture?: string; OS?: string };
    Resources?: EngineResources;
    Engine?: { EngineVersion?: string; Labels?: Record<string, string> };
  };
  Status?: { State?: string; Addr?: string; Message?: string };
  ManagerStatus?: { Leader?: boolean; Reachability?: string; Addr?: string };
  /** Waggle's own: how the mesh reaches the node's gateway. */
  Gateway?: { Transport: string; URL: string; Reason: string };
};

export type EngineSwarm = {
  Version?: { Index?: number };
  Spec?: unknown;
  JoinTokens: { Worker: string; Manager: string };
};

/** The response of create and update. */
export type EngineChangeResponse = { ID?: string; Warnings?: string[] | null };
