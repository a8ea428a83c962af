// The walk: what a person types to see Swarm's routing mesh work, on the machines of the lab, each step checked.
//
// A step has the number of its rule in docs/spec.md. test/system/lab.test.ts runs the walk and reads its report.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { controlUrl, type Lab, nodes, waggleProgram } from "./lab.ts";
import { hiddenNode, type Machine, ownAddress, publicAddress } from "./network.ts";
import { check, type Step, takeSteps } from "./steps.ts";

/** The published port of the walk, and a second one. */
const [port, secondPort] = [8080, 8081] as const;
/** The published port of a service on the node behind NAT. */
const hiddenPort = 8085;
const lowestChosenPort = 30_000;

/** Requests whose spread is checked: a multiple of the nodes. */
const requests = 30;

const steps: readonly Step<Walk>[] = [
  { rule: "O200", title: "three nodes join, one of them behind NAT", run: nodesJoin },
  { rule: "O201", title: "service create shows its progress", run: createsService },
  { rule: "O202", title: "service ps lists the tasks on two of the three nodes", run: listsTasks },
  { rule: "O203", title: "a port is chosen, and others are added to a running service", run: publishes },
  { rule: "O204", title: "the published port of each node responds", run: everyNodeResponds },
  { rule: "O205", title: "HAProxy in front of the nodes spreads evenly", run: haproxyInFront },
  { rule: "O206", title: "the edge is that balancer, with the same page", run: edgeInFront },
  { rule: "O207", title: "waggle import takes the haproxy.cfg over", run: importsConfig },
];

/**
 * Takes the steps in their order until one fails, and prints a report.
 *
 * @param say prints a line
 * @returns true if no step failed
 */
export async function walk(lab: Lab, say: (line: string) => void): Promise<boolean> {
  const state = new Walk(lab, say);
  // Those of an earlier walk in the same lab.
  for (const service of ["my-web", "chosen", "hidden", "http_back"]) {
    await lab.run("client", ["docker", "service", "rm", service]);
  }
  return takeSteps(steps, state, say, () => lab.logs());
}

/** The lab with what the steps find out. */
class Walk {
  readonly lab: Lab;
  readonly say: (line: string) => void;
  /** The configuration of the HAProxy of the walk. */
  config = "";

  constructor(lab: Lab, say: (line: string) => void) {
    this.lab = lab;
    this.say = say;
  }

  /** Runs a command on a machine, and shows it with what it prints. @throws if it fails */
  async type(machine: Machine, ...program: readonly string[]): Promise<string> {
    const text = await this.#show(machine, program);
    if (text.code !== 0)
      throw new Error(`\`${program.join(" ")}\` exited with ${text.code}: ${text.err.trim()}`);
    return text.out;
  }

  /** Runs a command that must be refused. @returns what it prints */
  async typeRefused(machine: Machine, ...program: readonly string[]): Promise<string> {
    const text = await this.#show(machine, program);
    if (text.code === 0) throw new Error(`\`${program.join(" ")}\` was not refused`);
    return text.err + text.out;
  }

  /**
   * Runs a command as in a terminal, where the Docker CLI draws progress bars.
   *
   * @returns the lines that it has drawn, in the order of their last state
   */
  async typeInTerminal(machine: Machine, ...program: readonly string[]): Promise<readonly string[]> {
    this.say(`${machine}$ ${program.join(" ")}`);
    const quoted = program.map((word) => `'${word}'`).join(" ");
    // Docker draws bars from 110 columns on.
    const terminal = ["script", "-qefc", `stty cols 120; exec ${quoted}`, "/dev/null"];
    const { code, out, err } = await this.lab.run(machine, terminal);
    const drawn = withoutEscapes(out).split(/[\r\n]+/);
    const lines = drawn.map((line) => line.trimEnd()).filter(Boolean);
    const last = lines.filter((line, index) => lines.indexOf(line, index + 1) === -1);
    for (const line of last.filter((line) => !isIntermediate.test(line))) this.say(`  ${line}`);
    if (code !== 0) throw new Error(`\`${program.join(" ")}\` exited with ${code}: ${err}`);
    return last;
  }

  async #show(machine: Machine, program: readonly string[]) {
    this.say(`${machine}$ ${program.join(" ").replace(waggleProgram, "waggle")}`);
    const text = await this.lab.run(machine, program);
    for (const line of (text.out + text.err).trimEnd().split("\n")) this.say(`  ${line}`);
    return text;
  }

  /** Sends GETs one after the other, each on a connection of its own. @returns the bodies; @throws if one fails */
  async get(machine: Machine, url: string, count = 1): Promise<readonly string[]> {
    const script = 'for i in $(seq "$1"); do curl -sS -m 10 -w "$2" "$3" || exit; done';
    const words = ["sh", "-c", script, "sh", String(count), `%{http_code}${endMark}`, url];
    const { code, out, err } = await this.lab.run(machine, words);
    const answers = out.split(endMark).slice(0, -1);
    if (code !== 0) throw new Error(`GET ${url} from ${machine}: ${err.trim() || out}`);
    return answers.map((answer) => {
      const [body, status] = [answer.slice(0, -3), answer.slice(-3)];
      if (status !== "200") throw new Error(`GET ${url} from ${machine}: ${status} ${body}`);
      return body;
    });
  }

  /** Repeats a check until it passes. @throws its last error */
  async until(check: () => Promise<void>, withinMs = 20_000): Promise<void> {
    const deadlineMs = Date.now() + withinMs;
    for (;;) {
      try {
        return await check();
      } catch (error) {
        if (Date.now() > deadlineMs) throw error;
      }
      await pause(250);
    }
  }
}

/** Removes the escape sequences of a terminal, such as `ESC [ 2 K`. */
function withoutEscapes(text: string): string {
  const [first = "", ...rest] = text.split("\u001b");
  return first + rest.map((part) => part.replace(/^\[[\d;?]*[A-Za-z]/, "")).join("");
}

/** The Docker CLI draws over these lines. */
const isIntermediate = /^(\d+\/\d+:(?! running +\[)|overall progress: (\d+) out of (?!\2 )|verify: Waiting)/;

/** Separates the responses in the output of several curls. */
const endMark = "\n-- end of response --\n";

async function nodesJoin(walk: Walk): Promise<void> {
  const { lab } = walk;
  await walk.type("client", "docker", "node", "ls");
  for (const node of nodes) check(await lab.isReady(node), `${node} did not join`);
  // Nothing leads to the node behind NAT but what it opens itself.
  for (const address of [ownAddress[hiddenNode], publicAddress(hiddenNode)]) {
    const gateway = await lab.run("mesh", ["curl", "-sS", "-m", "2", `http://${address}:7946`]);
    check(gateway.code !== 0, `the gateway of ${hiddenNode} answers at ${address} in spite of NAT`);
  }
  await hiddenNodeServes(walk);
}

/** Checks that requests reach a task on the node behind NAT. */
async function hiddenNodeServes(walk: Walk): Promise<void> {
  const table = await walk.type("client", waggleProgram, "node", "ls");
  check(hasLine(table, hiddenNode, "tunnel"), `the transport of ${hiddenNode} is not the tunnel`);
  const place = ["--name", "hidden", "--constraint", `node.hostname==${hiddenNode}`];
  const publish = ["--publish", `published=${hiddenPort},target=80`, "nginx"];
  await walk.type("client", "docker", "service", "create", "-q", ...place, ...publish);
  await walk.until(async () => {
    const [page = ""] = await walk.get("client", `http://${ownAddress.mesh}:${hiddenPort}/`);
    check(page.includes("<h1>Welcome to nginx!</h1>"), `the task of ${hiddenNode} does not answer: ${page}`);
  });
  const placed = await walk.type("client", "docker", "service", "ps", "--format", "{{.Node}}", "hidden");
  check(placed.trim() === hiddenNode, `the task is not on ${hiddenNode}, but on ${placed}`);
  walk.say(`  # its task answers at http://${ownAddress.mesh}:${hiddenPort}`);
  await walk.type("client", "docker", "service", "rm", "hidden");
}

async function createsService(walk: Walk): Promise<void> {
  const publish = ["--publish", `published=${port},target=80`, "--replicas", "2", "nginx"];
  const lines = await walk.typeInTerminal(
    "client",
    "docker",
    "service",
    "create",
    "--name",
    "my-web",
    ...publish,
  );
  const wanted = [
    /^[a-z0-9]{25}$/,
    /^overall progress: 2 out of 2 tasks$/,
    /^1\/2: running +\[=+>\]$/,
    /^2\/2: running +\[=+>\]$/,
    /^verify: Service (\w+ )?converged$/,
  ];
  for (const pattern of wanted)
    check(
      lines.some((line) => pattern.test(line)),
      `no line matches ${pattern}`,
    );
}

async function listsTasks(walk: Walk): Promise<void> {
  const table = await walk.type("client", "docker", "service", "ps", "my-web");
  for (const slot of [1, 2]) {
    const isShown = hasLine(table, `my-web.${slot}`, "nginx:latest", "Running", "Running");
    check(isShown, `my-web.${slot} is not shown as a running task of nginx:latest`);
  }
  check(new Set(await tasksNodes(walk)).size === 2, "the two tasks are not on two nodes");
}

async function publishes(walk: Walk): Promise<void> {
  const docker = (...words: readonly string[]) => walk.type("client", "docker", "service", ...words);
  await docker("create", "-q", "--name", "chosen", "--publish", "target=80", "nginx");
  const row = (await docker("ls")).split("\n").find((line) => hasLine(line, "chosen"));
  const [, text = ""] = /\*:(\d+)->80\/tcp/.exec(row ?? "") ?? [];
  check(Number(text) >= lowestChosenPort, `port ${text} of the service chosen is below ${lowestChosenPort}`);
  await walk.until(async () => void (await walk.get("client", `http://${entryAddress}:${text}/`)));
  await docker("rm", "chosen");
  await docker("update", "-q", "--publish-add", `published=${secondPort},target=80`, "my-web");
  const ports = `*:${port}-${secondPort}->80/tcp`;
  check((await docker("ls")).includes(ports), `service ls does not show ${ports}`);
  await walk.until(async () => void (await walk.get("client", `http://${entryAddress}:${secondPort}/`)));
  const refusal = await walk.typeRefused(
    "client",
    "docker",
    "service",
    "create",
    "-p",
    "published=9000",
    "nginx",
  );
  check(refusal.includes("missing mandatory field 'target'"), "a port without a target is not refused");
}

async function everyNodeResponds(walk: Walk): Promise<void> {
  const busy = await tasksNodes(walk);
  for (const node of nodes) {
    const url = `http://${publicAddress(node)}:${port}`;
    const page = await walk.type("client", "curl", "-sS", "-m", "10", url);
    check(page.includes("<h1>Welcome to nginx!</h1>"), `${url} does not answer nginx's page`);
    if (!busy.includes(node)) walk.say(`  # ${node} runs no task of my-web`);
  }
}

async function haproxyInFront(walk: Walk): Promise<void> {
  const { lab } = walk;
  const servers = nodes.map((node) => `    server ${node} ${publicAddress(node)}:${port} check`);
  walk.config = join(lab.dir, "haproxy.cfg");
  writeFileSync(walk.config, `${haproxyHead}${servers.join("\n")}\n`);
  const haproxy = lab.start("haproxy", "balancer", ["haproxy", "-db", "-f", walk.config]);
  try {
    const stats = `http://${ownAddress.balancer}/haproxy?stats`;
    // Its checks count as well until they have passed, and a server that is down gets no request.
    await walk.until(async () => {
      const page = csvRows((await walk.get("client", `${stats};csv`))[0] ?? "");
      const up = page.filter(({ pxname, status }) => pxname === "http_back" && status?.startsWith("UP"));
      check(up.length === nodes.length + 1, "HAProxy's checks have not passed");
    });
    await walk.type("balancer", "curl", "-sS", "-m", "10", "http://127.0.0.1/");
    await walk.get("client", `http://${ownAddress.balancer}/`, requests - 1);
    const [page = ""] = await walk.get("client", `${stats};csv`);
    checkSpread(walk, csvRows(page), "http_back");
  } finally {
    if (haproxy.pid !== undefined) process.kill(haproxy.pid, "SIGKILL");
  }
}

async function edgeInFront(walk: Walk): Promise<void> {
  const { lab } = walk;
  const env = { WAGGLE_JOIN_TOKEN: lab.waggle("join-token", "-q").trim() };
  const address = ownAddress.balancer;
  // The control API of the lab has no TLS.
  const flags = ["--insecure", "--listen", address, "--state", join(lab.dir, "edge")];
  walk.say(`balancer$ waggle edge ${controlUrl} --join $TOKEN ${flags.join(" ")}`);
  lab.start("edge", "balancer", [waggleProgram, "edge", controlUrl, ...flags], env);
  await walk.until(async () => void (await walk.get("client", `http://${address}:${port}/`)));
  const before = await nodeRows(walk);
  await walk.get("client", `http://${address}:${port}/`, requests);
  // Counters reach the page a few seconds later.
  await walk.until(async () => {
    const counts = countsSince(before, await nodeRows(walk));
    checkSpread(walk, counts, nodesProxy);
  });
}

async function importsConfig(walk: Walk): Promise<void> {
  const report = await walk.type("client", waggleProgram, "import", walk.config);
  for (const node of nodes) {
    const isTaken = hasLine(report, "taken", "server", node, `${publicAddress(node)}:${port}`, "check");
    check(isTaken, `the server ${node} is not reported as taken`);
  }
  check(report.includes("created service http_back"), "the report does not name the service http_back");
  const url = `http://${ownAddress.balancer}/`;
  await walk.until(async () => void (await walk.get("client", url)));
  await walk.type("client", waggleProgram, "server", "ls");
  const page = await walk.type("client", "curl", "-sS", "-m", "10", url);
  check(page.includes("<h1>Welcome to nginx!</h1>"), `${url} does not answer nginx's page`);
}

/** Where published ports are open before the walk starts a balancer. */
const entryAddress = publicAddress("node1");

/** The nodes of the running tasks of my-web. */
async function tasksNodes({ lab }: Walk): Promise<readonly string[]> {
  const words = ["docker", "service", "ps", "-f", "desired-state=running", "--format", "{{.Node}}", "my-web"];
  return (await lab.run("client", words)).out.split("\n").filter(Boolean);
}

/** Rows of HAProxy's statistics, by the names of the columns. */
type CsvRow = Readonly<Record<string, string>>;

function csvRows(text: string): readonly CsvRow[] {
  const [head = "", ...lines] = text.trim().split("\n");
  const names = head.replace(/^# /, "").split(",");
  return lines.map((line) => {
    const values = line.split(",");
    return Object.fromEntries(names.map((name, index) => [name, values[index] ?? ""]));
  });
}

/** The nodes' rows of the balancer's statistics page, with the requests of all balancers. */
async function nodeRows({ lab }: Walk): Promise<readonly CsvRow[]> {
  const config = `user = "any:${lab.clientEnv().WAGGLE_TOKEN}"`;
  const url = `http://${ownAddress.balancer}:${port}/haproxy?stats;csv`;
  const { code, out, err } = await lab.run("client", ["curl", "-sSf", "-m", "10", "-K", "-", url], config);
  if (code !== 0) throw new Error(`GET ${url}: ${err}`);
  return csvRows(out).filter(({ pxname }) => pxname === nodesProxy);
}

/** The proxy of the mesh's statistics page whose servers are the nodes. */
const nodesProxy = "waggle.nodes";

/** The rows with the requests since earlier ones. */
function countsSince(before: readonly CsvRow[], after: readonly CsvRow[]): readonly CsvRow[] {
  return after.map((row) => {
    const earlier = before.find(({ svname }) => svname === row.svname);
    return { ...row, stot: String(Number(row.stot) - Number(earlier?.stot ?? 0)) };
  });
}

/**
 * Checks that the requests, and some before them that are counted late, are spread evenly over the nodes. A
 * round of the balancer may have begun before and after.
 */
function checkSpread({ say }: Walk, rows: readonly CsvRow[], proxy: string): void {
  const counts = nodes.map((node) => {
    const row = rows.find(({ pxname, svname }) => pxname === proxy && svname === node);
    return Number(row?.stot);
  });
  const shown = nodes.map((node, index) => `${node} ${counts[index]}`).join(", ");
  const total = counts.reduce((sum, count) => sum + count, 0);
  check(total >= requests, `${requests} requests were sent, and the page has ${shown}`);
  const isEven = Math.max(...counts) - Math.min(...counts) <= 2;
  check(isEven, `the requests are not spread evenly: ${shown}`);
  say(`  # requests on the statistics page, proxy ${proxy}: ${shown}`);
}

const haproxyHead = `defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend http_front
    bind *:80
    stats uri /haproxy?stats
    default_backend http_back
backend http_back
    balance roundrobin
`;

/** True if a line has these words in this order, with others between them. */
function hasLine(text: string, ...words: readonly string[]): boolean {
  return text.split("\n").some((line) => {
    let found = 0;
    for (const word of line.split(/\s/)) if (word === words[found]) found += 1;
    return found === words.length;
  });
}
