// The contexts of a user: names for meshes, with their URLs and tokens, and the one in use.

import { z } from "zod";
import { refused, usageError } from "../errors.ts";

/** One mesh. */
const Context = z.object({
  url: z.string(),
  /** Null: the token of `stateDir`, or none. */
  token: z.string().nullable().default(null),
  /** The state folder of a mesh on this machine, whose mesh.json has the current URL and token; else null. */
  stateDir: z.string().nullable().default(null),
  description: z.string().default(""),
});
export type Context = Readonly<z.infer<typeof Context>>;

const Contexts = z.object({
  /** The name of the context in use; null: the mesh of the environment or of the state folder. */
  current: z.string().nullable().default(null),
  contexts: z.record(z.string(), Context).default({}),
});
export type Contexts = Readonly<z.infer<typeof Contexts>>;

export const noContexts: Contexts = { current: null, contexts: {} };

/** As in Docker: the mesh that is used without a context. */
export const defaultContext = "default";

/** The context of the mesh that `waggle up` runs. */
export const localContext = "local";

/** Reads the file's text. @throws a usage error that names the file and the part that cannot be read */
export function readContexts(text: string, path: string): Contexts {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw unreadable(path, (error as Error).message);
  }
  const parsed = Contexts.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw unreadable(path, `${issue?.path.join(".")}: ${issue?.message}`);
}

/** The text of the file, which reads back. */
export function printContexts(contexts: Contexts): string {
  return `${JSON.stringify(contexts, null, 2)}\n`;
}

/** A name as Docker's contexts have it. */
export function readContextName(text: string): string {
  if (text === defaultContext)
    throw usageError(`"${defaultContext}" is the mesh without a context`, "choose another name");
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.+-]*$/.test(text)) return text;
  throw usageError(
    `"${text}" is not a name for a context`,
    "begin with a letter or digit, and go on with letters, digits and _ . + -",
  );
}

/** @throws exit code 1 with the names that exist */
export function contextNamed({ contexts }: Contexts, name: string): Context {
  const context = Object.hasOwn(contexts, name) ? contexts[name] : undefined;
  if (context !== undefined) return context;
  const names = Object.keys(contexts).sort();
  throw refused(
    `no context "${name}"`,
    names.length === 0
      ? `"waggle context create ${name} --url URL" creates it`
      : `contexts: ${names.join(", ")}; "waggle context ls" shows them`,
  );
}

export function withContext(all: Contexts, name: string, context: Context): Contexts {
  return { ...all, contexts: { ...all.contexts, [name]: context } };
}

/** Without the context; if it was in use, none is. */
export function withoutContext(all: Contexts, name: string): Contexts {
  const { [name]: _, ...contexts } = all.contexts;
  return { current: all.current === name ? null : all.current, contexts };
}

function unreadable(path: string, problem: string): Error {
  return usageError(
    `cannot read the contexts in ${path}: ${problem}`,
    "correct the file, or remove it and create the contexts again; --host URL needs none",
  );
}
