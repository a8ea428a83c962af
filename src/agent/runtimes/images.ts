// The image table of the process runtime: the command that each image name stands for on this node.
//
// A file (`--images FILE`) adds images or replaces built-in ones:
//
//   {
//     "my/app": {
//       "command": ["node", "server.js"],     the program; `--entrypoint` of a service replaces it
//       "args": ["--verbose"],                its arguments; arguments of a service replace them
//       "dir": "/srv/app",                    working directory; by default the folder of this file
//       "env": ["A=b"],
//       "probe": "http:/healthz",             or "tcp", the default
//       "stopSignal": "SIGTERM"
//     }
//   }

import { accessSync, constants, readFileSync, statSync } from "node:fs";
import { constants as systemConstants } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { z } from "zod";
import { MeshError } from "../../domain/model/error.ts";
import type { ProbeSpec } from "../../domain/model/service.ts";
import { readFailure } from "../../os/files.ts";
import { whoamiCommand } from "../../package/program-files.ts";
import type { AssignedTask } from "../../protocol/agent.ts";
import { nginxFiles } from "./nginx.ts";

/** The environment of one task. */
export type TaskEnvironment = {
  /** The task's folder. */
  readonly taskDir: string;
  readonly nodeName: string;
  /** Address to listen on. */
  readonly host: string;
  readonly ports: readonly { readonly target: number; readonly port: number }[];
};

export type ProcessImage = {
  /**
   * As in a Docker image: `--entrypoint` replaces the entrypoint and empties `cmd`, arguments replace `cmd`.
   */
  readonly entrypoint: readonly string[];
  readonly cmd: (environment: TaskEnvironment) => readonly string[];
  /** Working directory; by default the task's folder. */
  readonly dir?: string;
  readonly env: readonly string[];
  readonly probe: ProbeSpec;
  readonly stopSignal: NodeJS.Signals;
  /** Files to write into the task's folder before the start. */
  readonly files: (environment: TaskEnvironment, task: AssignedTask) => Readonly<Record<string, string>>;
};

export type ImageTable = ReadonlyMap<string, ProcessImage>;

/** The built-in images. `nginx` is one of them if the machine has the program. */
export function builtInImages(path: string): ImageTable {
  const table = new Map<string, ProcessImage>([["waggle/whoami", whoamiImage]]);
  const nginx = findProgram("nginx", "/", `${path}${delimiter}/usr/sbin${delimiter}/usr/local/sbin`);
  if (nginx !== null) table.set("nginx", nginxImage(nginx));
  return table;
}

/**
 * The image of a reference of `docker service create`. Tag and digest do not matter.
 *
 * `nginx:latest`, `docker.io/library/nginx` and `nginx@sha256:…` are all `nginx`.
 */
export function findImage(table: ImageTable, reference: string): ProcessImage | null {
  return table.get(familiarName(reference)) ?? null;
}

export function familiarName(reference: string): string {
  const [tagged = ""] = reference.split("@", 1);
  const untagged = tagged.replace(/:[^/:]*$/, "");
  return untagged.replace(/^(index\.)?docker\.io\//, "").replace(/^library\//, "");
}

/** The error text for an unknown image; it lists the known ones. */
export function noSuchImageText(table: ImageTable, reference: string): string {
  const known = [...table.keys()].join(", ");
  const shown = reference.length > 200 ? `${reference.slice(0, 200)}…` : reference;
  return `No such image: ${shown} (this node runs processes; it knows ${known}; add your own with --images FILE)`;
}

/**
 * Reads an images file.
 *
 * @throws MeshError images/invalid; the message has the file, the entry and an example
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

/** Reads `SIGTERM`, `term` or `15` as a signal; null if this system does not have the signal. */
export function readSignal(text: string): NodeJS.Signals | null {
  const { signals } = systemConstants;
  const name = /^\d+$/.test(text)
    ? Object.entries(signals).find(([, number]) => number === Number(text))?.[0]
    : `SIG${text.toUpperCase().replace(/^SIG/, "")}`;
  return name !== undefined && name in signals ? (name as NodeJS.Signals) : null;
}

/** The path of an executable as a shell in `dir` finds it; null if it is not found. */
export function findProgram(program: string, dir: string, path: string): string | null {
  const folders = program.includes("/") ? [dir] : path.split(delimiter).filter((folder) => folder !== "");
  for (const folder of folders) {
    const candidate = resolve(folder, program);
    try {
      accessSync(candidate, constants.X_OK);
      if (statSync(candidate).isFile()) return candidate;
    } catch {
      // Not in this folder.
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
    .refine((text) => readSignal(text) !== null, 'no such signal: write for example "SIGTERM"')
    .optional(),
});
const ImagesFile = z.record(z.string().min(1), ImageEntry);

const whoamiImage: ProcessImage = {
  entrypoint: whoamiCommand(),
  cmd: () => [],
  env: [],
  probe: { kind: "http", path: "/healthz" },
  stopSignal: "SIGTERM",
  files: () => ({}),
};

function nginxImage(program: string): ProcessImage {
  return {
    // As in the official image, where the arguments are the whole command line.
    entrypoint: [],
    cmd: ({ taskDir }) => [program, "-p", `${taskDir}/`, "-e", "stderr", "-c", join(taskDir, "nginx.conf")],
    env: [],
    probe: { kind: "http", path: "/" },
    // On SIGTERM nginx would abort open requests.
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
    throw unreadableImagesFile(file, readFailure(cause as NodeJS.ErrnoException));
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw unreadableImagesFile(file, `${(cause as Error).message}; ${imageExample}`);
  }
}

function unreadableImagesFile(file: string, reason: string): MeshError {
  return new MeshError("images/invalid", `cannot read the images file ${file}: ${reason}`, {
    blame: "operator",
    retry: "never",
  });
}
