// The differences between a Swarm and a mesh that are intended, each with its reason. docs/docker.md has them too.

/** Lines that are not compared in some commands. */
export type Difference = {
  readonly reason: string;
  /** The commands. */
  readonly commands: RegExp;
  /** Lines of the normalized output of either system. */
  readonly lines: RegExp;
  /** Whether it is in some runs only. One that is not must occur. */
  readonly rare?: true;
};

export const differences: readonly Difference[] = [
  {
    reason: "the first row of `docker node ls` is the mesh itself, the leader",
    commands: /^docker node ls( --format| -q|$)/,
    lines: /^ID \* {2}(node1|waggle) {2}|^ID {2}node1 {2}|^waggle |^[34]$/,
  },
  {
    reason: "a node's engine is its agent, with Waggle's version",
    commands: /^docker node ls$|^docker node inspect --pretty/,
    lines:
      /^ID {2}node\d {2}|Engine Version:|^ Engine Labels:|^ {2}- waggle\.|^Engine Labels:| - waggle\.ingress=/,
  },
  {
    reason: "no machine is a manager unless it is promoted",
    commands: /--filter role=worker/,
    lines: /^node1$/,
  },
  {
    reason: "nodes have no plugins and no certificates of a Swarm",
    commands: /^docker node inspect --pretty/,
    lines:
      /^$|^TLS Info:|^ TrustRoot:|^Plugins:|^ (Log|Network|Volume):|CERTIFICATE|^[A-Za-z0-9+/=]{20,}$|^ Issuer /,
  },
  {
    reason: "the default order of an update is start-first",
    commands: /^docker service inspect/,
    lines: /(Update|Rollback) order:|"Order": /,
  },
  {
    reason: "a refusal says what would work",
    commands: /--name (badrestart|badtemplate) /,
    lines: /^! /,
  },
  {
    reason: "an invalid constraint is the client's mistake: `InvalidArgument`, where a Swarm says `Unknown`",
    commands: /--name badconstraint /,
    lines: /^! .* constraint expected one operator from ==, !=$/,
  },
  {
    reason: "a host-mode port is listed once, and not again for IPv6",
    commands: /^docker service ps everywhere .*Ports/,
    lines: /:8085->80/,
  },
  {
    reason: "a registry that does not respond is asked again before the task is rejected",
    commands: /docker service ps missing/,
    lines: /^missing\.1 /,
  },
  {
    reason: "no registry is asked for the digest of a tag: each node pulls the tag",
    commands: /^docker stack deploy -d -c stack2/,
    lines: /^! (image |its digest|possibly|versions|$)/,
  },
  {
    reason: "a restart without a delay waits longer after each failure",
    commands: /^docker service inspect web$/,
    lines: /"Delay": 5000000000/,
  },
  {
    reason: "addresses of networks are the mesh's own",
    commands: /^docker service inspect web$/,
    lines: /"Addr": /,
  },
  {
    reason: "a busy Swarm can stop to report events of services until its daemon restarts (moby#36834)",
    commands: /^docker events .*service=talker/,
    lines: /^service create talker$/,
    rare: true,
  },
];
