// The image table of the process runtime: which command an image name stands for on this node.
//
// A file of one's own (`--images FILE`) adds to it, or replaces what is built in:
//
//   {
//     "my/app": {
//       "command": ["node", "server.js"],     what runs; `--entrypoint` of a service replaces it
//       "args": ["--verbose"],                its arguments; a service's own arguments replace them
//       "dir": "/srv/app",                    working directory; absent: the folder of this file
//       "env": ["A=b"],
//       "probe": "http:/healthz",             or "tcp", the default
//       "stopSignal": "SIGTERM"
//     }
//   }

import { accessSync, constants, readFileSync, statSync } from "node:fs";
import { constants as systemConstants } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { MeshError } from "../../domain/model/error.ts";
import type { ProbeSpec } from "../../domain/model/service.ts";
import type { AssignedTask } from "../../protocol/agent.ts";
import { nginxFiles } from "./nginx.ts";

/** Where one task is to run. */
export type TaskEnvironment = {
  /** The task's own folder. */
  readonly taskDir: string;
  readonly nodeName: string;
  /** Address to listen on. */
  readonly host: string;
  readonly ports: readonly { readonly target: number; readonly port: number }[];
};

export type ProcessImage = {
  /** As in a Docker image: `--entrypoint` replaces the first and empties the second, arguments replace the second. */
  readonly entrypoint: readonly string[];
  readonly cmd: (place: TaskEnvironment) => readonly string[];
  /** Absent: the task's own folder. */
  readonly dir?: string;
  readonly env: readonly string[];
  readonly probe: ProbeSpec;
  readonly stopSignal: NodeJS.Signals;
  /** Files written into the task's folder before it starts. */
  readonly files: (place: TaskEnvironment, task: AssignedTask) => Readonly<Record<string, string>>;
};

export type ImageTable = ReadonlyMap<string, ProcessImage>;

/** Images known without any file. `nginx` is there when the machine has one. */
export function builtInImages(path: string): ImageTable {
  const table = new Map<string, ProcessImage>([["waggle/whoami", whoamiImage]]);
  const nginx = findProgram("nginx", "/", `${path}${delimiter}/usr/sbin${delimiter}/usr/local/sbin`);
  if (nginx !== null) table.set("nginx", nginxImage(nginx));
  return table;
}

/**
 * The image of a reference as `docker service create` takes it, whatever its tag or digest.
 *
 * `nginx:latest`, `docker.io/library/nginx` and `nginx@sha256:…` are all `nginx`.
 */
export function findImage(table: ImageTable, reference: string): ProcessImage | null {
  return table.get(familiarName(reference)) ?? null;
}

export function familiarName(reference: string): string {
  const untagged = reference.replace(/@.*$/, "").replace(/:[^/:]*$/, "");
  return untagged.replace(/^(index\.)?docker\.io\//, "").replace(/^library\//, "");
}

/** Says what this node would have run instead. */
export function noSuchImageText(table: ImageTable, reference: string): string {
  const known = [...table.keys()].join(", ");
  const shown = reference.length > 200 ? `${reference.slice(0, 200)}…` : reference;
  return `No such image: ${shown} (this node runs processes; it knows ${known}; add your own with --images FILE)`;
}

/**
 * Reads a file of images.
 *
 * @throws MeshError images/invalid with the file, the entry and what works
 */
export function readImages(file: string): ImageTable {
  const parsed = ImagesFile.safeParse(readJson(file));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw unreadableImagesFile(
      file,
      `${issue?.path.join(" > ") || "the file"}: ${issue?.message}; ${imageExample}`,
    );
  }
  const table = new Map<string, ProcessImage>();
  for (const [name, entry] of Object.entries(parsed.data)) {
    table.set(familiarName(name), customImage(entry, dirname(resolve(file))));
  }
  return table;
}

/** The signal a person means by `SIGTERM`, `term` or `15`; null when there is none. */
export function readSignal(text: string): NodeJS.Signals | null {
  const { signals } = systemConstants;
  const named = /^\d+$/.test(text)
    ? Object.entries(signals).find(([, number]) => number === Number(text))?.[0]
    : `SIG${text.toUpperCase().replace(/^SIG/, "")}`;
  return named !== undefined && named in signals ? (named as NodeJS.Signals) : null;
}

/** Path of a program as a shell would find it from `dir`; null when there is none that may be run. */
export function findProgram(program: string, dir: string, path: string): string | null {
  const places = program.includes("/") ? [dir] : path.split(delimiter).filter((place) => place !== "");
  for (const place of places) {
    const candidate = resolve(place, program);
    try {
      accessSync(candidate, constants.X_OK);
      if (statSync(candidate).isFile()) return candidate;
    } catch {
      // Not here.
    }
  }
  return null;
}

const imageExample =
  'an entry is {"command": ["node", "server.js"], "dir": "/srv/app", "env": ["A=b"], "probe": "http:/healthz"}';

const ImageEntry = z.strictObject({
  command: z.array(z.string().min(1)).min(1),
  args: z.array(z.string()).optional(),
  dir: z.string().min(1).optional(),
  env: z.array(z.string().regex(/^[^=]+=/, 'write it as "KEY=value"')).optional(),
  probe: z
    .string()
    .regex(/^(tcp|http:\/[!-~]*)$/, 'write it as "tcp" or "http:/path"')
    .optional(),
  stopSignal: z
    .string()
    .refine((text) => readSignal(text) !== null, 'no such signal; "SIGTERM" is one')
    .optional(),
});
const ImagesFile = z.record(z.string().min(1), ImageEntry);

const whoamiImage: ProcessImage = {
  entrypoint: [process.execPath, fileURLToPath(new URL("../whoami.ts", import.meta.url))],
  cmd: () => [],
  env: [],
  probe: { kind: "http", path: "/healthz" },
  stopSignal: "SIGTERM",
  files: () => ({}),
};

function nginxImage(program: string): ProcessImage {
  return {
    // As in the official image, whose arguments are a whole command line.
    entrypoint: [],
    cmd: ({ taskDir }) => [program, "-p", `${taskDir}/`, "-e", "stderr", "-c", join(taskDir, "nginx.conf")],
    env: [],
    probe: { kind: "http", path: "/" },
    // SIGTERM would cut the requests that nginx is still answering.
    stopSignal: "SIGQUIT",
    files: nginxFiles,
  };
}

function customImage(entry: z.infer<typeof ImageEntry>, fileDir: string): ProcessImage {
  const { command, args = [], dir = ".", env = [], probe = "tcp", stopSignal = "SIGTERM" } = entry;
  return {
    entrypoint: command,
    cmd: () => args,
    dir: resolve(fileDir, dir),
    env,
    probe: probe === "tcp" ? { kind: "tcp" } : { kind: "http", path: probe.slice("http:".length) },
    stopSignal: readSignal(stopSignal) ?? "SIGTERM",
    files: () => ({}),
  };
}

function readJson(file: string): unknown {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    throw unreadableImagesFile(file, (cause as Error).message);
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw unreadableImagesFile(file, `${(cause as Error).message}; ${imageExample}`);
  }
}

function unreadableImagesFile(file: string, why: string): MeshError {
  return new MeshError("images/invalid", `cannot read the images file ${file}: ${why}`, {
    blame: "operator",
    retry: "never",
  });
}
