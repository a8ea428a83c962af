// A service spec with every field of the API's TaskTemplate, as a client of API version 1.41 can send it.

/** @param image runs its arguments as a command */
export function everyField(image: string): Readonly<Record<string, unknown>> {
  return {
    Labels: { "com.example.team": "blue" },
    TaskTemplate: {
      ContainerSpec: {
        Image: image,
        Labels: { tier: "back" },
        Command: ["sleep"],
        Args: ["1000"],
        Hostname: "{{.Service.Name}}-{{.Task.Slot}}",
        Env: ["A=1", "B=2"],
        Dir: "/tmp",
        User: "nobody",
        Groups: ["staff"],
        Privileges: {
          CredentialSpec: null,
          SELinuxContext: { Disable: true, User: "", Role: "", Type: "", Level: "" },
          NoNewPrivileges: false,
        },
        Init: true,
        StopSignal: "SIGINT",
        TTY: true,
        OpenStdin: true,
        ReadOnly: true,
        Mounts: [
          { Type: "tmpfs", Target: "/scratch", TmpfsOptions: { SizeBytes: 1_048_576, Mode: 1_023 } },
          {
            Type: "volume",
            Source: "data",
            Target: "/data",
            VolumeOptions: { NoCopy: true, Labels: { x: "y" }, DriverConfig: { Name: "local" } },
          },
          {
            Type: "bind",
            Source: "/tmp",
            Target: "/host",
            ReadOnly: true,
            BindOptions: { Propagation: "rprivate" },
          },
        ],
        StopGracePeriod: 1_000_000_000,
        Healthcheck: {
          Test: ["CMD", "true"],
          Interval: 5_000_000_000,
          Timeout: 1_000_000_000,
          StartPeriod: 1_000_000_000,
          Retries: 3,
        },
        Hosts: ["10.9.8.7 db"],
        DNSConfig: { Nameservers: ["9.9.9.9"], Search: ["a.test"], Options: ["ndots:1"] },
        Isolation: "default",
        Sysctls: { "net.core.somaxconn": "1234" },
        CapabilityAdd: ["CAP_NET_ADMIN"],
        CapabilityDrop: ["CAP_MKNOD"],
        Ulimits: [{ Name: "nofile", Soft: 1_000, Hard: 2_000 }],
      },
      Resources: {
        Limits: { NanoCPUs: 500_000_000, MemoryBytes: 67_108_864, Pids: 50 },
        Reservations: { NanoCPUs: 1_000_000, MemoryBytes: 4_194_304 },
      },
      RestartPolicy: { Condition: "on-failure", Delay: 1_000_000_000, MaxAttempts: 2, Window: 5_000_000_000 },
      Placement: {
        Constraints: ["node.platform.os==linux"],
        Preferences: [{ Spread: { SpreadDescriptor: "node.labels.rack" } }],
        MaxReplicas: 3,
        Platforms: [{ OS: "linux" }],
      },
      LogDriver: { Name: "json-file", Options: { "max-size": "1m" } },
      ForceUpdate: 2,
      Runtime: "container",
    },
    Mode: { Replicated: { Replicas: 1 } },
    UpdateConfig: {
      Parallelism: 2,
      Delay: 1_000_000,
      FailureAction: "continue",
      Monitor: 2_000_000,
      MaxFailureRatio: 0.5,
      Order: "start-first",
    },
    RollbackConfig: {
      Parallelism: 1,
      Delay: 1_000_000,
      FailureAction: "pause",
      Monitor: 2_000_000,
      MaxFailureRatio: 0.25,
      Order: "stop-first",
    },
    EndpointSpec: {
      Mode: "vip",
      Ports: [{ Name: "http", Protocol: "tcp", TargetPort: 80, PublishMode: "ingress" }],
    },
  };
}
