// Commands and flags of Docker's CLI that `waggle` does not have: what to use in their place.

const withDocker = (command: string) =>
  `Docker's CLI has it and works with this mesh: docker ${command}, with DOCKER_HOST and the token as "waggle up" prints them`;
const noEngine = "a mesh runs services, not single containers: see waggle service create --help";
const onNode = "only the node of a task sees inside it: waggle task ls shows the node";
const noImages = "nodes have images, a mesh has none: name one in waggle service create";
const onMachines = "it belongs to one machine, and not to a mesh: use docker on the node";

/** By command of Docker's CLI, what to use. */
const commandHints: Readonly<Record<string, string>> = {
  ...fromKeys(["config", "container", "info", "inspect", "network", "ps", "secret", "stack"], withDocker),
  ...fromKeys(
    [
      "commit",
      "create",
      "kill",
      "pause",
      "rename",
      "restart",
      "rm",
      "run",
      "start",
      "stop",
      "unpause",
      "update",
    ],
    () => noEngine,
  ),
  ...fromKeys(["attach", "cp", "diff", "exec", "export", "port", "stats", "wait"], () => onNode),
  ...fromKeys(
    ["bake", "build", "builder", "buildx", "history", "image", "images", "load", "manifest"],
    () => noImages,
  ),
  ...fromKeys(["pull", "push", "rmi", "save", "search", "tag", "trust"], () => noImages),
  ...fromKeys(["checkpoint", "plugin", "system", "volume"], () => onMachines),
  compose: withDocker("stack deploy -c compose.yaml NAME"),
  logout: "waggle context rm removes a mesh and its token",
};

/** The same for the second word of a command. */
const secondHints: Readonly<Record<string, string>> = {
  ...fromKeys(["node promote", "node demote"], withDocker),
  ...fromKeys(
    ["swarm init", "swarm update"],
    () => "a mesh is made by waggle up, waggle control or waggle deploy",
  ),
  "swarm join-token": "waggle join-token prints it",
  "swarm leave": "a node leaves when its agent stops: Ctrl-C, or systemctl stop waggle-agent",
};

const healthFlags = "cmd interval retries start-interval start-period timeout".split(" ");
const rolloutFlags = "delay failure-action max-failure-ratio monitor order parallelism".split(" ");
/** Flags of values that `docker service update` adds and removes. */
const listFlags =
  "config container-label dns dns-option dns-search env-file generic-resource group host mount network placement-pref secret sysctl ulimit";
const otherFlags =
  "cap-add cap-drop credential-spec endpoint-mode hostname init isolation limit-pids log-driver log-opt max-concurrent no-healthcheck no-resolve-image oom-score-adj read-only tty user with-registry-auth";

/** Flags of `docker service create` and `update`, without those of `waggle service`. */
const serviceFlags: ReadonlySet<string> = new Set([
  ...healthFlags.map((name) => `--health-${name}`),
  ...rolloutFlags.flatMap((name) => [`--update-${name}`, `--rollback-${name}`]),
  ...listFlags.split(" ").flatMap((name) => [`--${name}`, `--${name}-add`, `--${name}-rm`]),
  ...otherFlags.split(" ").map((name) => `--${name}`),
  "-t",
  "-u",
]);

/**
 * What to use in place of a command or flag that only Docker's CLI has.
 *
 * @param args the command line without `waggle`
 * @param unknown the word that `waggle` does not know: `stack`, `--mount`
 * @returns one line; empty if Docker's CLI does not have it either
 */
export function dockerHint(args: readonly string[], unknown: string): string {
  const [noun = "", verb = ""] = args.filter((arg) => !arg.startsWith("-"));
  // Not the index alone: `constructor` is a word, too.
  if (noun === unknown) return Object.hasOwn(commandHints, unknown) ? (commandHints[unknown] ?? "") : "";
  if (verb === unknown) return secondHints[`${noun} ${verb}`] ?? "";
  if (noun === "node" && verb === "update" && unknown === "--role") return withDocker("node promote");
  const isServiceFlag = noun === "service" && (verb === "create" || verb === "update");
  return isServiceFlag && serviceFlags.has(unknown) ? withDocker(`service ${verb}`) : "";
}

function fromKeys(names: readonly string[], hint: (name: string) => string): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, hint(name)]));
}
