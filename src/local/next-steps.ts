// What to try once the mesh runs: the addresses, the token and the commands, as text for a person.

import type { DesiredListener } from "./published-ports.ts";

type OpenListener = DesiredListener & { readonly openPort: number | null };

type NextSteps = {
  readonly control: string;
  readonly token: string;
  /** What tells `waggle` where this mesh is, where the default does not: ` --state DIR`, or nothing. */
  readonly stateFlag: string;
  readonly listeners: readonly OpenListener[];
  /** A link that signs in to the dashboard once. */
  readonly dashboard: string;
};

/** Lines to print after the start. Ports that are not open are left out: their reason has been said. */
export function nextSteps({ control, token, stateFlag, listeners, dashboard }: NextSteps): readonly string[] {
  const open = listeners.filter((one) => one.openPort !== null);
  const nodes = open.filter((one) => one.identity.role === "ingress");
  const balancer = open.filter((one) => one.identity.role === "edge");
  const host = new URL(control).host;
  return [
    ...section(
      "Every node answers",
      nodes.map((one) => `curl ${listenerUrl(one)}   # ${one.owner}`),
    ),
    ...section("The balancer", [
      ...balancer.map((one) => `curl ${listenerUrl(one)}   # ${listenerPurpose(one)}`),
      ...balancer
        .slice(0, 1)
        .map(
          (one) => `${listenerUrl(one)}${statsUri}   # HAProxy's stats page: any user, the token as password`,
        ),
    ]),
    ...section("The dashboard", [
      dashboard,
      `bin/waggle${stateFlag} dashboard   # prints another such link: each signs in once, within 15 minutes`,
    ]),
    ...section("The Docker CLI", [
      `export DOCKER_HOST=tcp://${host}`,
      `export DOCKER_CUSTOM_HEADERS="Authorization=Bearer ${token}"`,
      "docker service ls",
    ]),
    ...section("The waggle command", [`bin/waggle${stateFlag} status`, `bin/waggle${stateFlag} events -f`]),
    `Control API: ${control}   token: ${token}`,
    "Ctrl-C stops the mesh; the next start finds its services as they were.",
  ];
}

/** Lines to print after a later start, when the addresses are known and nothing needs to be tried. */
export function restartSummary({
  control,
  token,
  stateFlag,
  listeners,
  dashboard,
}: NextSteps): readonly string[] {
  const ports = [...new Set(listeners.flatMap(({ identity }) => identity.published ?? []))].sort(
    (a, b) => a - b,
  );
  const published = ports.length === 0 ? "nothing is published" : `published: ${ports.join(", ")}`;
  return [
    `The mesh is as it was, ${published}; bin/waggle${stateFlag} status says more`,
    `Dashboard: ${dashboard}`,
    `Control API: ${control}   token: ${token}`,
    "Ctrl-C stops the mesh; the next start finds its services as they were.",
  ];
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : [title, ...lines.map((line) => `  ${line}`), ""];
}

/** Where the balancer shows them, as `STATS_URI` is where nobody says otherwise. */
const statsUri = "/haproxy?stats";

function listenerUrl(one: OpenListener): string {
  return `http://${one.address}:${one.openPort}`;
}

function listenerPurpose(one: OpenListener): string {
  const { published } = one.identity;
  return published === null
    ? "the default service"
    : `published port ${published}, over the nodes that are up`;
}
