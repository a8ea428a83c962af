// The parts of a task template that need a container: a node that runs processes rejects a task with them, because
// a limit or a mount that is ignored is worse than a task that does not start.

import type { EngineTaskTemplate } from "../../protocol/engine/service-schema.ts";

/** Each part, and the flag of `docker service create` that sets it. */
const containerOnly: readonly (readonly [path: string, flag: string])[] = [
  ["ContainerSpec.Mounts", "--mount"],
  ["ContainerSpec.User", "--user"],
  ["ContainerSpec.Groups", "--group"],
  ["ContainerSpec.Privileges", "--credential-spec"],
  ["ContainerSpec.CapabilityAdd", "--cap-add"],
  ["ContainerSpec.CapabilityDrop", "--cap-drop"],
  ["ContainerSpec.ReadOnly", "--read-only"],
  ["ContainerSpec.Healthcheck", "--health-cmd"],
  ["ContainerSpec.Hosts", "--host"],
  ["ContainerSpec.DNSConfig", "--dns"],
  ["ContainerSpec.Sysctls", "--sysctl"],
  ["ContainerSpec.Ulimits", "--ulimit"],
  ["ContainerSpec.OomScoreAdj", "--oom-score-adj"],
  ["ContainerSpec.TTY", "--tty"],
  ["ContainerSpec.OpenStdin", "stdin_open in stack files"],
  ["ContainerSpec.Init", "--init"],
  ["ContainerSpec.Isolation", "--isolation"],
  ["Resources.Limits", "--limit-cpu, --limit-memory, --limit-pids"],
  ["Resources.SwapBytes", "--memory-swap"],
  ["Resources.MemorySwappiness", "--memory-swappiness"],
  ["LogDriver", "--log-driver"],
];

/** Why a node that runs processes cannot run a template; null if it can. */
export function whyNotAsProcess(template: EngineTaskTemplate): string | null {
  const found = containerOnly.filter(([path]) => isSet(valueAt(template, path)));
  if (found.length === 0) return null;
  const parts = found.map(([path, flag]) => `${path} (${flag})`).join(", ");
  return `this node runs tasks as processes, which cannot have ${parts}: leave that out, or use nodes with Docker (waggle agent --runtime docker)`;
}

function valueAt(value: unknown, path: string): unknown {
  return path
    .split(".")
    .reduce<unknown>(
      (part, key) => (part as Readonly<Record<string, unknown>> | null | undefined)?.[key],
      value,
    );
}

/** Clients write empty values of every kind; a health check of `NONE` and the isolation `default` count as absent. */
function isSet(value: unknown): boolean {
  if (typeof value !== "object" || value === null)
    return Boolean(value) && value !== "NONE" && value !== "default";
  return Object.values(value).some(isSet);
}
