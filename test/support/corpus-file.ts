// A HAProxy configuration of test/corpus/haproxy/ with the notes in its comments, and its copy on this machine's ports.
//
//   #> PORT METHOD TARGET | NAME: VALUE | repeat N    a request; PORT as the file binds it
//   #! down ADDRESS, #! sick ADDRESS STATUS           a server that does not listen, or responds to checks so
//   #= NAME VALUE                                     a variable of the environment
//   #~ TEXT: REASON                                   why no request shows what the lines with this text do

export type CorpusRequest = {
  /** The note, as the name of the request. */
  readonly text: string;
  /** A port that the file binds. */
  readonly port: number;
  /**
   * A method of HTTP, or `UPGRADE`: a WebSocket handshake; `STICK`: a GET, and then others with its cookies;
   * `STALL`: a POST that stops in its body.
   */
  readonly method: string;
  readonly target: string;
  /** Header lines. */
  readonly headers: readonly string[];
  readonly repeat: number;
  readonly isParallel: boolean;
};

export type CorpusFile = {
  readonly name: string;
  readonly text: string;
  readonly requests: readonly CorpusRequest[];
  /** Servers that do not listen, and the statuses of failed checks, by address. */
  readonly servers: ReadonlyMap<string, "down" | number>;
  /** Texts of lines whose effect no request of the file can show. */
  readonly invisible: readonly string[];
  readonly env: Readonly<Record<string, string>>;
};

/** @throws Error for a request that cannot be read */
export function readCorpusFile(name: string, text: string): CorpusFile {
  const requests: CorpusRequest[] = [];
  const servers = new Map<string, "down" | number>();
  const invisible: string[] = [];
  const env: Record<string, string> = {};
  for (const line of text.split("\n")) {
    const [, kind, note = ""] = /^#([>!=~]) (.*)$/.exec(line) ?? [];
    const [first = "", second = "", third] = note.split(" ");
    if (kind === ">") requests.push(readRequest(name, note));
    if (kind === "=") env[first] = second;
    if (kind === "!") servers.set(second, first === "down" ? first : Number(third));
    if (kind === "~") invisible.push(note.slice(0, note.indexOf(": ")));
  }
  return { name, text, requests, servers, env, invisible };
}

function readRequest(name: string, text: string): CorpusRequest {
  const [start = "", ...rest] = text.split(" | ");
  const [, port, method = "", target = ""] = /^(\d+) ([A-Z]+) (\S+)$/.exec(start) ?? [];
  if (port === undefined) throw new Error(`${name}: "${text}" is not PORT METHOD TARGET`);
  const headers = rest.filter((part) => part.includes(": "));
  const count = rest.map((part) => /^(repeat|parallel) (\d+)$/.exec(part)).find((found) => found !== null);
  return {
    text,
    port: Number(port),
    method,
    target,
    headers,
    repeat: Number(count?.[2] ?? (method === "STALL" || target.startsWith("/slow/") ? 1 : 4)),
    isParallel: count?.[1] === "parallel",
  };
}

/** One server address of a file. */
type CorpusServer = {
  /** `HOST:PORT` as in the file. */
  readonly address: string;
  /** The backend or listen sections with this address. */
  readonly sections: readonly string[];
};

/** The servers of a file, and the ports that it binds. */
export type CorpusAddresses = {
  readonly servers: readonly CorpusServer[];
  readonly binds: readonly number[];
};

export function addressesOf({ text, env, servers }: CorpusFile): CorpusAddresses {
  const found = new Map<string, string[]>([...servers.keys()].map((address) => [address, []]));
  const binds = new Set<number>();
  let section = "";
  for (const line of text.split("\n")) {
    const words = expandVariables(line, env).trim().split(/\s+/);
    if (isSectionStart(line)) section = words[1] ?? "";
    if (words[0] === "bind") for (const port of portsOf(words[1] ?? "")) binds.add(port);
    if (words[0] !== "server") continue;
    const { host, address, checked } = serverAddresses(words);
    if (!/^[\w.]+$/.test(host)) continue;
    for (const key of [address, checked]) {
      const sections = found.get(key) ?? [];
      if (key === address && !sections.includes(section)) sections.push(section);
      found.set(key, sections);
    }
  }
  return { servers: [...found].map(([address, sections]) => ({ address, sections })), binds: [...binds] };
}

/** True if the line is the head of a section. */
export function isSectionStart(line: string): boolean {
  return /^[a-z]/.test(line);
}

function serverAddresses(words: readonly string[]): { host: string; address: string; checked: string } {
  const [host = "", port = ""] = (words[2] ?? "").split(":");
  const after = (name: string) => (words.includes(name) ? words[words.indexOf(name) + 1] : undefined);
  const checked = `${after("addr") ?? host}:${after("port") ?? port}`;
  return { host, address: `${host}:${port}`, checked };
}

/** Replaces variables, and removes the quotes around them. */
function expandVariables(line: string, env: CorpusFile["env"]): string {
  return line.replaceAll(/"?\$\{?(\w+)\}?/g, (_, name: string) => env[name] ?? "").replaceAll('"', "");
}

/** The ports of `*:8101-8102,*:8105`. */
function portsOf(addresses: string): readonly number[] {
  return addresses.split(",").flatMap((address) => {
    const [, from, to = from] = /:(\d+)(?:-(\d+))?$/.exec(address) ?? [];
    if (from === undefined) return [];
    return Array.from({ length: Number(to) - Number(from) + 1 }, (_, at) => Number(from) + at);
  });
}

export type Placement = {
  /** Port of loopback for each server address. */
  readonly servers: ReadonlyMap<string, number>;
  /** Port for each port that the file binds. */
  readonly binds: ReadonlyMap<number, number>;
  /** What stands for /etc/haproxy. */
  readonly etc: string;
};

/** The text and environment of a file with its servers on loopback and its ports free; same number of lines. */
export function place(
  { text, env }: Pick<CorpusFile, "text" | "env">,
  { servers, binds, etc }: Placement,
): { readonly text: string; readonly env: Readonly<Record<string, string>> } {
  const placedEnv = { ...env };
  const setVariables = (word: string, value: string) => {
    for (const [, name = ""] of word.matchAll(/\$\{?(\w+)\}?/g)) if (name in env) placedEnv[name] = value;
  };
  const placeBind = (word: string): string => {
    const [port] = portsOf(expandVariables(word, env));
    if (/\$\{?\w+\}?"?$/.test(word)) {
      setVariables(word, String(binds.get(port ?? 0)));
      return word;
    }
    return word.replaceAll(/:(\d+)(?:-(\d+))?(?=,|$)/g, (_, from: string, to?: string) => {
      const placed = binds.get(Number(from)) ?? 0;
      return to === undefined ? `:${placed}` : `:${placed}-${placed + Number(to) - Number(from)}`;
    });
  };
  const placeServer = (line: string): string => {
    const words = expandVariables(line, env).trim().split(/\s+/);
    const { address, checked } = serverAddresses(words);
    const port = servers.get(address);
    if (port === undefined) return line;
    const [, host = "", portWord = ""] =
      /^\s*server\s+\S+\s+"?(\$\{\w+\}|[\w.]+):(\$\{\w+\}|\d+)/.exec(line) ?? [];
    setVariables(host, "127.0.0.1");
    setVariables(portWord, String(port));
    const placedHost = host.startsWith("$") ? host : "127.0.0.1";
    const placedPort = portWord.startsWith("$") ? portWord : String(port);
    return line
      .replace(`${host}:${portWord}`, `${placedHost}:${placedPort}`)
      .replace(/ addr \S+/, " addr 127.0.0.1")
      .replace(/ port \d+/, ` port ${servers.get(checked)}`);
  };
  const lines = text.split("\n").map((line) => {
    const placed = line.replaceAll("/etc/haproxy/", `${etc}/`);
    if (/^\s*bind\s/.test(line))
      return placed.replace(/^(\s*bind\s+)(\S+)/, (_, head: string, word: string) => head + placeBind(word));
    if (/^\s*server\s/.test(line)) return placeServer(placed);
    // What HAProxy would need of the machine it is installed on.
    return placed.replace(/^\s+(chroot|user|group|daemon|pidfile|stats socket|ca-base|crt-base)\b.*/, "");
  });
  return { text: lines.join("\n"), env: placedEnv };
}
