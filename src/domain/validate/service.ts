// Validation of a service spec by itself; the registry checks for conflicts with other services.

import { checkLabels } from "../labels/labels.ts";
import { checkSpreadDescriptor, parseConstraints } from "../model/constraint.ts";
import { invalidAs } from "../model/error.ts";
import {
  isJob,
  type PortRequest,
  type RunSpec,
  type ServiceSpec,
  type TaskResources,
  type UpdatePolicy,
} from "../model/service.ts";

const invalid = invalidAs("service/invalid");

/** Replicas per service: the size for which the routing table and the scheduler were measured. */
const maxReplicas = 10_000;
/** Target ports per task; an agent's report has no room for more endpoints. */
const maxTargets = 64;

const dnsComponent = /^[a-zA-Z0-9](?:[-_a-zA-Z0-9]*[a-zA-Z0-9])?$/;
const registryPattern = /^[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?(?::\d+)?$/;
const repositoryPattern = /^[a-z0-9]+(?:(?:[._/]|__|-+)[a-z0-9]+)*$/;
const tagPattern = /^\w[\w.-]{0,127}$/;
const digestPattern = /^(?:sha256:[a-f0-9]{64}|sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128})$/;
const imageIdPattern = /^[a-f0-9]{64}$/;

/**
 * Checks that the mesh can run a spec. Messages are SwarmKit's where it has one, without the gRPC prefix,
 * which the control API adds.
 *
 * @throws MeshError of kind `invalid`
 */
export function validateSpec(spec: ServiceSpec): void {
  checkName(spec.name);
  checkRun(spec.run);
  checkMode(spec.mode);
  checkStatic(spec);
  checkJob(spec);
  for (const port of spec.ports) checkPort(port);
  parseConstraints(spec.constraints);
  for (const descriptor of spec.spreadOver ?? []) checkSpreadDescriptor(descriptor);
  checkLabels(spec.labels);
  checkPolicies(spec);
  if (spec.limits !== undefined) checkResources(spec.limits);
  checkResources(spec.reservations);
  for (const [kind, count] of Object.entries(spec.reservations.generic ?? {})) {
    checkCount(`generic-resource ${kind}`, count);
  }
}

function checkName(name: string): void {
  if (name === "") throw invalid("meta: name must be provided");
  if (!dnsComponent.test(name)) throw invalid("name must be valid as a DNS name component");
  if (name.length > 63) throw invalid("name must be 63 characters or fewer");
}

function checkRun(run: RunSpec): void {
  if (run.image === "") throw invalid("ContainerSpec: image reference must be provided");
  if (run.image.length > 512 || !isReference(run.image)) {
    throw invalid(`ContainerSpec: "${run.image}" is not a valid repository/tag`);
  }
  checkCount("stop-grace-period", run.stopGraceMs);
  if (run.targets.length > maxTargets) {
    throw invalid(`EndpointSpec: ${run.targets.length} target ports: a task may have at most ${maxTargets}`);
  }
  for (const target of run.targets) checkPort({ target, mode: "ingress" });
}

function checkMode(mode: ServiceSpec["mode"]): void {
  if (mode.kind === "replicated-job") {
    checkTaskCount("TotalCompletions", mode.completions);
    checkTaskCount("MaxConcurrent", mode.maxConcurrent);
  }
  if (mode.kind === "replicated") checkTaskCount("replicas", mode.replicas);
}

function checkTaskCount(name: string, replicas: number): void {
  if (Number.isInteger(replicas) && replicas >= 0 && replicas <= maxReplicas) return;
  throw invalid(`${name} is ${replicas}: use a whole number from 0 to ${maxReplicas}`);
}

/** The tasks of a job end, so that no route can lead to them. */
function checkJob({ mode, ports }: ServiceSpec): void {
  if (!isJob(mode) || ports.length === 0) return;
  throw invalid("Jobs may not publish ports: requests need a task that stays up");
}

/** A service of static servers runs no tasks: no agent has its image. */
function checkStatic({ run, mode }: ServiceSpec): void {
  if (!isStaticImage(run.image) || (mode.kind === "replicated" && mode.replicas === 0)) return;
  throw invalid(`${run.image} has static servers and no tasks: use 0 replicas and add servers to it`);
}

/** True for the image name that stands for a service of static servers. */
function isStaticImage(image: string): boolean {
  return /^waggle\/static(?::latest)?$/.test(image);
}

function checkPort({ target, published }: PortRequest): void {
  if (!isPort(target)) throw invalid(`EndpointSpec: target port is ${target}: use 1 to 65535`);
  if (published !== undefined && !isPort(published)) {
    throw invalid(
      `EndpointSpec: published port is ${published}: use 1 to 65535, or leave it out to get a free one`,
    );
  }
}

function checkPolicies({ restart, update, rollback, maxPerNode }: ServiceSpec): void {
  checkCount("restart-delay", restart.delayMs ?? 0);
  checkCount("restart-window", restart.windowMs);
  checkCount("restart-max-attempts", restart.maxAttempts);
  checkUpdatePolicy("update", update);
  if (rollback !== undefined) checkUpdatePolicy("rollback", rollback);
  checkCount("replicas-max-per-node", maxPerNode);
}

function checkUpdatePolicy(name: string, policy: UpdatePolicy): void {
  const { parallelism, delayMs = 0, monitorMs = 0, maxFailureRatio = 0 } = policy;
  checkCount(`${name}-parallelism`, parallelism);
  checkCount(`${name}-delay`, delayMs);
  checkCount(`${name}-monitor`, monitorMs);
  if (!(maxFailureRatio >= 0 && maxFailureRatio <= 1)) {
    throw invalid(`TaskSpec: ${name}-maxfailureratio cannot be less than 0 or bigger than 1`);
  }
}

/** SwarmKit's lower bounds: 0 (unspecified), or at least a thousandth of a core and 4 MiB. */
function checkResources({ nanoCpus, memoryBytes }: TaskResources): void {
  if (nanoCpus !== 0 && !(nanoCpus >= 1e6)) {
    throw invalid(`invalid cpu value ${goText(nanoCpus / 1e9)}: Must be at least 0.001`);
  }
  if (memoryBytes !== 0 && !(memoryBytes >= 4 * 1024 * 1024)) {
    throw invalid(`invalid memory value ${memoryBytes}: Must be at least 4MiB`);
  }
}

/** A number as Go prints it, in whose exponent are two digits or more: `5e-05`. */
function goText(value: number): string {
  const text = value.toExponential();
  const [digits, exponent] = text.split("e");
  if (Number(exponent) >= -4 && Number(exponent) < 6) return String(value);
  return `${digits}e${exponent?.replace(/^([+-])(\d)$/, "$10$2")}`;
}

function checkCount(name: string, value: number): void {
  if (!(value >= 0)) throw invalid(`TaskSpec: ${name} cannot be negative`);
}

function isPort(value: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= 65_535;
}

/** True for a repository in lower case with an optional registry, tag and digest (distribution/reference). */
function isReference(text: string): boolean {
  const at = text.indexOf("@");
  const [tagged, digest] = at < 0 ? [text, null] : [text.slice(0, at), text.slice(at + 1)];
  const colon = tagged.indexOf(":", tagged.lastIndexOf("/") + 1);
  const [path, tag] = colon < 0 ? [tagged, null] : [tagged.slice(0, colon), tagged.slice(colon + 1)];
  const slash = path.indexOf("/");
  const hasRegistry = slash >= 0 && isRegistry(path.slice(0, slash));
  return (
    !imageIdPattern.test(path) &&
    (digest === null || digestPattern.test(digest)) &&
    (tag === null || tagPattern.test(tag)) &&
    repositoryPattern.test(hasRegistry ? path.slice(slash + 1) : path)
  );
}

/** The first part of a path is a registry's host and not a user's name if it has a dot or a port, or is localhost. */
function isRegistry(part: string): boolean {
  return registryPattern.test(part) && (part === "localhost" || /[.:]/.test(part));
}
