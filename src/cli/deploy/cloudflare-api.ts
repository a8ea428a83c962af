// The client of Cloudflare's API v4, for the requests of `waggle deploy` and `waggle destroy`.

import { z } from "zod";
import type { Cli } from "../cli.ts";
import { connectionFailure } from "../connection-failure.ts";
import { CliError, exitCodes } from "../errors.ts";
import { parseJson } from "../json.ts";
import { type TokenPermission, tokenPermissions } from "./token-permissions.ts";

/** Where tokens are created and changed. */
const tokensPage = "https://dash.cloudflare.com/profile/api-tokens";

export type ApiRequest<T> = {
  /** Below /client/v4: `/zones`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly result: z.ZodType<T>;
  readonly permission: TokenPermission;
};

export type CloudflareApi = {
  readonly get: <T>(request: ApiRequest<T>) => Promise<T>;
  readonly post: <T>(request: ApiRequest<T>) => Promise<T>;
  readonly delete: <T>(request: ApiRequest<T>) => Promise<T>;
  /** All pages of a list. */
  readonly list: <T>(request: ApiRequest<readonly T[]>) => Promise<readonly T[]>;
};

/** A refusal by Cloudflare's API. */
export class ApiError extends CliError {
  readonly status: number;

  constructor(status: number, message: string) {
    super(exitCodes.refused, message);
    this.status = status;
  }
}

const defaultApiUrl = "https://api.cloudflare.com/client/v4";

const attempts = 5;
const firstBackoffMs = 500;
/** Longest pause before another attempt, milliseconds, also if Retry-After asks for more. */
const maxRetryWaitMs = 30_000;
const apiTimeoutMs = 30_000;
const pageSize = 100;

const Envelope = z.object({
  success: z.boolean(),
  errors: z.array(z.object({ code: z.number(), message: z.string() })).default([]),
  result: z.unknown(),
  result_info: z.object({ total_pages: z.number().optional() }).nullish(),
});

type Envelope = z.infer<typeof Envelope>;

type ApiExchange = { readonly status: number; readonly envelope: Envelope };

/** @throws exit code 4 without CLOUDFLARE_API_TOKEN */
export function createCloudflareApi(cli: Cli): CloudflareApi {
  const token = cli.env.CLOUDFLARE_API_TOKEN?.trim() ?? "";
  if (token === "") throw missingToken();
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new CliError(
      exitCodes.token,
      "CLOUDFLARE_API_TOKEN is not a token: it contains a space or a non-ASCII character",
    );
  const baseUrl = (cli.env.CLOUDFLARE_API_BASE_URL || defaultApiUrl).replace(/\/$/, "");
  const send = (
    method: string,
    { path, query = {}, body }: Omit<ApiRequest<unknown>, "result" | "permission">,
  ) => {
    const parameters = new URLSearchParams(query);
    const url = `${baseUrl}${path}${parameters.size === 0 ? "" : `?${parameters}`}`;
    return sendRepeatedly(cli, baseUrl, () => exchange(url, method, token, body));
  };
  const call = async <T>(
    method: string,
    request: ApiRequest<T>,
  ): Promise<ApiExchange & { readonly result: T }> => {
    const answer = await send(method, request);
    const { status, envelope } = answer;
    if (!envelope.success || status >= 400)
      throw await refusalOf(answer, method, request, (path) => send("GET", { path }));
    const parsed = request.result.safeParse(envelope.result);
    if (parsed.success) return { ...answer, result: parsed.data };
    const [issue] = parsed.error.issues;
    throw new CliError(
      exitCodes.unreachable,
      `cannot read Cloudflare's answer to ${method} ${request.path}: ${issue?.path.join(".")}: ${issue?.message}`,
      "is this waggle older than the API? A newer release may read it",
    );
  };
  return {
    get: async (request) => (await call("GET", request)).result,
    post: async (request) => (await call("POST", request)).result,
    delete: async (request) => (await call("DELETE", request)).result,
    list: async <T>(request: ApiRequest<readonly T[]>) => {
      const items: T[] = [];
      for (let page = 1; ; page += 1) {
        const query = { ...request.query, page: String(page), per_page: String(pageSize) };
        const { result, envelope } = await call("GET", { ...request, query });
        items.push(...result);
        if (page >= (envelope.result_info?.total_pages ?? 1)) return items;
      }
    },
  };
}

/** True if the error says that the Worker, or another object, does not exist. */
export function isNotFound(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404;
}

function missingToken(): CliError {
  return new CliError(
    exitCodes.token,
    "CLOUDFLARE_API_TOKEN is not set",
    `create a token at ${tokensPage} with these permissions:\n${Object.values(tokenPermissions)
      .map((permission) => `  ${permission}`)
      .join("\n")}\nwithout a zone of your own the first two are enough`,
  );
}

/** Sends a request until Cloudflare answers it, at most `attempts` times. */
async function sendRepeatedly(
  { sleep, random }: Cli,
  baseUrl: string,
  send: () => Promise<ApiExchange & { readonly retryAfterMs: number }>,
): Promise<ApiExchange> {
  for (let attempt = 1; ; attempt += 1) {
    const backoffMs = firstBackoffMs * 2 ** (attempt - 1) * (0.5 + random());
    try {
      const answer = await send();
      const mayPass = answer.status === 429 || answer.status >= 500;
      if (!mayPass) return answer;
      if (attempt === attempts) throw unavailable(baseUrl, statusText(answer));
      await sleep(Math.min(maxRetryWaitMs, Math.max(answer.retryAfterMs, backoffMs)));
    } catch (error) {
      if (error instanceof CliError) throw error;
      if (attempt === attempts) throw unavailable(baseUrl, failureText(error), error);
      await sleep(Math.min(maxRetryWaitMs, backoffMs));
    }
  }
}

async function exchange(
  url: string,
  method: string,
  token: string,
  body: unknown,
): Promise<ApiExchange & { readonly retryAfterMs: number }> {
  const response = await fetch(url, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      accept: "application/json",
      ...(body !== undefined && { "content-type": "application/json" }),
    },
    redirect: "manual",
    signal: AbortSignal.timeout(apiTimeoutMs),
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const { status } = response;
  const retryAfterMs = (Number(response.headers.get("retry-after")) || 0) * 1_000;
  const parsed = Envelope.safeParse(parseJson(text));
  // An error page of a proxy on the way is no answer of the API.
  if (!parsed.success && status < 500 && status !== 429)
    throw new CliError(
      exitCodes.unreachable,
      `${new URL(url).origin} is not Cloudflare's API: it answered ${status} ${response.headers.get("content-type") ?? "without a content type"}`,
      "a proxy may be in the way; CLOUDFLARE_API_BASE_URL names another address",
    );
  const envelope = parsed.success ? parsed.data : { success: false, errors: [], result: null };
  return { status, envelope, retryAfterMs };
}

async function refusalOf(
  answer: ApiExchange,
  method: string,
  { path, permission }: ApiRequest<unknown>,
  get: (path: string) => Promise<ApiExchange>,
): Promise<CliError> {
  const { status, envelope } = answer;
  const isTokenRefused =
    status === 401 || status === 403 || envelope.errors.some(({ code }) => tokenCodes.has(code));
  if (!isTokenRefused)
    return new ApiError(status, `Cloudflare refuses ${method} ${path}: ${statusText(answer)}`);
  const token = await tokenState(path, get);
  if (token !== "active")
    return new CliError(
      exitCodes.token,
      token === "unknown"
        ? "Cloudflare does not accept CLOUDFLARE_API_TOKEN"
        : `CLOUDFLARE_API_TOKEN is ${token}`,
      `create another token at ${tokensPage}`,
    );
  return new CliError(
    exitCodes.token,
    `the API token lacks the permission ${tokenPermissions[permission]} (${method} ${path}: ${statusText(answer)})`,
    `add it at ${tokensPage}, for this account and zone, and run the command again`,
  );
}

/** Errors about credentials: invalid header, invalid token, unauthorized, authentication error. */
const tokenCodes: ReadonlySet<number> = new Set([6003, 6111, 9103, 9109, 1000, 10_000]);

const TokenStatus = z.object({ status: z.string() });

/** The state of the token: active, expired, disabled; unknown if it is not accepted at all. */
async function tokenState(path: string, get: (path: string) => Promise<ApiExchange>): Promise<string> {
  const account = /^\/accounts\/[0-9a-f]{32}/.exec(path)?.[0];
  // A token of an account is not one of a user.
  for (const verify of [
    "/user/tokens/verify",
    ...(account === undefined ? [] : [`${account}/tokens/verify`]),
  ]) {
    const { envelope } = await get(verify);
    const parsed = TokenStatus.safeParse(envelope.result);
    if (envelope.success && parsed.success) return parsed.data.status;
  }
  return "unknown";
}

function statusText({ status, envelope }: ApiExchange): string {
  const messages = envelope.errors.map(({ code, message }) => `${message} (${code})`);
  return messages.length === 0 ? `status ${status}` : messages.join("; ");
}

function unavailable(baseUrl: string, reason: string, cause?: unknown): CliError {
  return new CliError(
    exitCodes.unreachable,
    `cannot reach Cloudflare's API at ${new URL(baseUrl).origin}, in ${attempts} attempts: ${reason}`,
    "what is done stays done; run the command again, and it goes on from there",
    cause,
  );
}

function failureText(error: unknown): string {
  const { reason, advice } = connectionFailure(error, apiTimeoutMs);
  return advice === "" ? reason : `${reason}; ${advice}`;
}
