// Pulls of images: one at a time for each image, shared by all tasks that wait for it.

import type Docker from "dockerode";
import { errorText, isUnreachable, statusOf } from "./daemon.ts";
import { type PullFailure, pullFailure } from "./pull-failure.ts";
import { PullProgress } from "./pull-progress.ts";

/** Time between two progress messages of a task, milliseconds: each is a row that the registry writes. */
const progressIntervalMs = 2_000;

/** What a task wants pulled. */
export type PullRequest = {
  /** A reference as the operator wrote it. */
  readonly image: string;
  /** The value of `X-Registry-Auth`; absent: no credentials. */
  readonly auth?: string;
  /** Aborts this task's wait. The pull itself ends when no task waits for it. */
  readonly signal: AbortSignal;
  readonly onProgress: (message: string) => void;
};

type Pull = {
  readonly done: Promise<PullFailure | null>;
  readonly abort: AbortController;
  readonly waiting: Set<PullRequest>;
};

export class ImagePulls {
  readonly #docker: Docker;
  readonly #log: (line: string) => void;
  readonly #pulls = new Map<string, Pull>();

  constructor(docker: Docker, log: (line: string) => void) {
    this.#docker = docker;
    this.#log = log;
  }

  /**
   * Pulls an image, or joins the pull that is under way. As in Swarm every task pulls, so that a tag is current; an
   * image named by a digest or an id that is here already is not pulled, and a failed pull is only a warning if the
   * image is here.
   *
   * @returns null if the image is here
   */
  async pull(request: PullRequest): Promise<PullFailure | null> {
    const { image, onProgress } = request;
    if (isFixed(image) && (await this.#hasImage(image))) return null;
    const failure = await this.#join(request);
    if (failure === null || request.signal.aborted) return failure;
    if (!(await this.#hasImage(image))) return failure;
    const warning = `cannot pull ${image}, so the local image is used: ${failure.reason}`;
    this.#log(warning);
    onProgress(warning);
    return null;
  }

  async #join(request: PullRequest): Promise<PullFailure | null> {
    const { image, auth = "", signal } = request;
    const key = `${auth} ${image}`;
    const pull = this.#pulls.get(key) ?? this.#start(key, request);
    pull.waiting.add(request);
    const { promise: aborted, resolve } = Promise.withResolvers<PullFailure>();
    const onAbort = () => resolve({ reason: "stopped", retry: true });
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    const failure = await Promise.race([pull.done, aborted]);
    signal.removeEventListener("abort", onAbort);
    pull.waiting.delete(request);
    if (pull.waiting.size === 0) {
      pull.abort.abort();
      // A task that comes later must not join a pull that is being aborted.
      if (this.#pulls.get(key) === pull) this.#pulls.delete(key);
    }
    return failure;
  }

  #start(key: string, { image, auth }: PullRequest): Pull {
    const abort = new AbortController();
    const waiting = new Set<PullRequest>();
    const show = (message: string) => {
      for (const { onProgress } of waiting) onProgress(message);
    };
    const done = this.#run(image, auth, abort.signal, show).finally(() => {
      if (this.#pulls.get(key)?.abort === abort) this.#pulls.delete(key);
    });
    const pull = { done, abort, waiting };
    this.#pulls.set(key, pull);
    return pull;
  }

  async #run(
    image: string,
    auth: string | undefined,
    signal: AbortSignal,
    show: (message: string) => void,
  ): Promise<PullFailure | null> {
    try {
      const stream = await this.#docker.pull(withTag(image), {
        abortSignal: signal,
        ...(auth !== undefined && { authconfig: { base64: auth } as never }),
      });
      const failure = await followPull(stream, image, signal, show);
      if (failure === null) this.#log(`pulled ${image}${await this.#digestOf(image)}`);
      return failure;
    } catch (error) {
      return pullFailure(image, errorText(error), isUnreachable(error) && !signal.aborted);
    }
  }

  /** ` (sha256:…)`, the digest that the registry has for the image; empty if it is not known. */
  async #digestOf(image: string): Promise<string> {
    const inspected = await this.#docker
      .getImage(image)
      .inspect()
      .catch(() => null);
    const digest = inspected?.RepoDigests?.[0]?.split("@")[1];
    return digest === undefined ? "" : ` (${digest})`;
  }

  async #hasImage(image: string): Promise<boolean> {
    try {
      await this.#docker.getImage(image).inspect();
      return true;
    } catch (error) {
      if (statusOf(error) === 404 || statusOf(error) === 400) return false;
      throw error;
    }
  }
}

/** Reads the daemon's JSON lines until the pull ends. Calls `show` with the progress at once and then regularly. */
async function followPull(
  stream: NodeJS.ReadableStream,
  image: string,
  signal: AbortSignal,
  show: (message: string) => void,
): Promise<PullFailure | null> {
  const progress = new PullProgress(image);
  let rest = "";
  signal.addEventListener("abort", () => (stream as NodeJS.ReadableStream & { destroy(): void }).destroy());
  show(progress.text);
  // A timer, because a download that stalls sends no lines.
  const timer = setInterval(() => show(progress.text), progressIntervalMs);
  try {
    for await (const chunk of stream) {
      const lines = (rest + String(chunk)).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) progress.read(line);
      if (progress.error !== null) break;
    }
  } finally {
    clearInterval(timer);
  }
  progress.read(rest);
  return progress.error === null ? null : pullFailure(image, progress.error, false);
}

/** True if a reference can only mean one image: it has a digest, or is an image's id. */
function isFixed(image: string): boolean {
  return /(^|@)sha256:[0-9a-f]{64}$/.test(image);
}

/** Without a tag the daemon would pull every one. */
function withTag(image: string): string {
  const name = image.slice(image.lastIndexOf("/") + 1);
  return name.includes(":") || name.includes("@") ? image : `${image}:latest`;
}
