// The texts of `waggle deploy` and `waggle destroy`: the plan, and what to do next.

import { existsSync } from "node:fs";
import type { DestroyStep } from "./destroy-plan.ts";
import type { DeployPlan, DeployStep } from "./plan.ts";
import type { DeploySettings } from "./settings.ts";
import { originlessAddress } from "./zone-parts.ts";

/** The plan, a line for each step. */
export function planLines(settings: DeploySettings, plan: DeployPlan, url: string): readonly string[] {
  return [
    `The mesh ${settings.name} at ${url}, in the account ${settings.account}, its registry in ${settings.location}:`,
    ...plan.steps.map((step) => `  ${stepText(step, plan)}`),
    ...plan.kept.map((what) => `  keep    ${what}`),
    "  check   the certificate, the control API, the registry and the edge",
    ...plan.notes.map((note) => `note: ${note}`),
  ];
}

/** A step on one line: `create  DNS record *.example.com (…)`. */
export function stepText(step: DeployStep, { newSecrets }: Pick<DeployPlan, "newSecrets">): string {
  if (step.kind === "upload") {
    const { worker, isNew, secrets } = step;
    const verb = isNew ? `create  Worker ${worker.name}` : `deploy  Worker ${worker.name}, this release`;
    const [made, known] = [true, false].map((isMade) =>
      secrets.filter((secret) => newSecrets.includes(secret) === isMade).join(" and "),
    );
    return `${verb}${made ? `, with new secrets ${made}` : ""}${known ? `, with the mesh's ${known}` : ""}`;
  }
  if (step.kind === "workers-dev")
    return `${step.isOn ? "create" : "delete"}  host name of ${step.worker.name} at workers.dev`;
  if (step.kind === "record") return `create  DNS record ${step.name} (AAAA ${originlessAddress}, proxied)`;
  return `create  route ${step.pattern} ${step.worker === null ? "without a Worker: the name has its own record" : `to ${step.worker}`}`;
}

export function destroyStepText(step: DestroyStep): string {
  if (step.kind === "delete-record") return `delete  DNS record ${step.name}`;
  if (step.kind === "delete-route") return `delete  route ${step.pattern}`;
  const { name, role } = step.worker;
  const hasRegistry = role === "mesh" || role === "objects";
  return `delete  Worker ${name}${hasRegistry ? ", with the registry: all services, nodes and secrets of the mesh" : ""}`;
}

export type NextStepsInput = {
  readonly settings: DeploySettings;
  readonly url: string;
  /** Of the edge, where services answer in a mesh without a domain. */
  readonly edge: string;
  readonly joinToken: string | null;
  /** True if a Worker that existed before was deployed. */
  readonly isUpgrade: boolean;
};

/** The lines after a deployment: the dashboard, Docker's context, and the command for each machine. */
export function deployedLines({
  settings,
  url,
  edge,
  joinToken,
  isUpgrade,
}: NextStepsInput): readonly string[] {
  const { host } = new URL(url);
  const { name, domain } = settings;
  return [
    "",
    "The dashboard (sign in with a token, or by the link of `waggle dashboard`):",
    `  ${url}/dashboard/`,
    "",
    "The Docker CLI:",
    `  docker context create ${name} --docker "host=tcp://${host}:443,ca=${authoritiesFile()}"`,
    '  export DOCKER_CUSTOM_HEADERS="Authorization=Bearer OPERATOR_TOKEN"',
    `  docker --context ${name} service ls`,
    "",
    "On each machine:",
    `  waggle agent --join ${joinToken ?? '"$(waggle join-token -q)"'} ${url}`,
    "",
    domain === null
      ? `Services answer at ${edge}`
      : `Services answer at https://NAME.${domain}, a node's entry point at https://NODE-nodes.${domain}`,
    ...(isUpgrade
      ? ["", "The mesh runs this release. Now update the agents, one machine at a time (docs/upgrade.md)."]
      : []),
  ];
}

/** Certificates of public authorities on this machine: Docker's CLI needs a file of them to use TLS. */
function authoritiesFile(): string {
  const files = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
  ];
  return files.find((path) => existsSync(path)) ?? "/etc/ssl/cert.pem";
}
