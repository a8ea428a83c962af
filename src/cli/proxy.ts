// The proxy of the environment (HTTP_PROXY, HTTPS_PROXY, NO_PROXY), for meshes on other machines.

import * as http from "node:http";
import * as https from "node:https";
import { isLoopback } from "../domain/model/dialed-host.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Present from Node 24.14 on. */
type ProxySetter = (settings: Readonly<Record<string, string>>) => unknown;
const setGlobalProxy = (http as { setGlobalProxyFromEnv?: ProxySetter }).setGlobalProxyFromEnv;

/**
 * The variable of a proxy that requests to a URL go through; null without one. A mesh on this machine is always
 * reached directly.
 */
export function proxySettings(url: string, env: Environment): Readonly<Record<string, string>> | null {
  const { protocol, hostname, port } = new URL(url);
  if (isLoopback(hostname.replace(/^\[|\]$/g, ""))) return null;
  const name = protocol === "https:" ? "https_proxy" : "http_proxy";
  const proxy = variable(env, name);
  if (proxy === "") return null;
  if (isExempt(hostname, port, variable(env, "no_proxy"))) return null;
  return { [name]: proxy };
}

/** As curl reads NO_PROXY: hosts with their subdomains, a port if it has one, `*` for all. */
function isExempt(hostname: string, port: string, list: string): boolean {
  return list.split(/[\s,]+/).some((entry) => {
    if (entry === "*") return true;
    const [, host = "", ownPort] = /^\*?\.?(.*?)(?::(\d+))?$/.exec(entry.toLowerCase()) ?? [];
    if (host === "" || (ownPort !== undefined && ownPort !== port)) return false;
    return hostname === host || hostname.endsWith(`.${host}`);
  });
}

/**
 * Sends the requests of this process to `url` through the proxy of the environment, if it names one.
 *
 * @returns true if it does and this Node can
 */
export function useProxy(url: string, env: Environment): boolean {
  const settings = proxySettings(url, env);
  if (settings === null || setGlobalProxy === undefined) return false;
  setGlobalProxy(settings);
  return true;
}

/** The option by which a WebSocket goes through the proxy, which `ws` does not by itself. */
export function proxyAgent(url: string, isProxied = false): { readonly agent?: http.Agent } {
  if (!isProxied) return {};
  return { agent: url.startsWith("wss:") ? https.globalAgent : http.globalAgent };
}

/** What to add to the failure of a request to `url`; empty if no proxy is involved. */
export function proxyAdvice(url: string, env: Environment): string {
  const settings = proxySettings(url, env);
  if (settings === null) return "";
  const [[name = "", proxy] = []] = Object.entries(settings);
  return setGlobalProxy === undefined
    ? `${name.toUpperCase()} is set, but Node ${process.versions.node} cannot use a proxy (24.14 can)`
    : `the request went through ${name.toUpperCase()}=${hostOf(proxy ?? "")}; NO_PROXY=HOST exempts a host`;
}

/** What an agent says that does not use the proxy of the environment; null without one. */
export function directNotice(url: string, env: Environment): string | null {
  const settings = proxySettings(url, env);
  if (settings === null) return null;
  const names = Object.keys(settings).map((name) => name.toUpperCase());
  return `${names.join()} is ignored: an agent connects to the mesh directly, and so must this machine be able to`;
}

/** Without the user and password that a proxy's URL may have. */
function hostOf(proxy: string): string {
  return URL.parse(proxy)?.host ?? "(unreadable)";
}

/** As curl, lower case first. */
function variable(env: Environment, name: string): string {
  return env[name] || env[name.toUpperCase()] || "";
}
