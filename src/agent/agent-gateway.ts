// The gateway of this node, with what it keeps across restarts of the agent: its port and its keys.
//
// The keys are saved, so that requests reach the tasks while the agent has restarted and the registry is away.

import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import { MeshError } from "../domain/model/error.ts";
import type { Assignment, SentNodeKey } from "../protocol/agent.ts";
import { Gateway, type GatewayOptions } from "./gateway/gateway.ts";
import type { GatewayCertificate } from "./gateway/gateway-server.ts";
import type { AgentOptions } from "./options.ts";
import { listenHost } from "./runtimes/ports.ts";
import { readGatewayState, writeGatewayState } from "./state-dir.ts";

/** The registry's time, at a time of the clock that is never set. Milliseconds. */
type RegistryTime = { readonly nowMs: number; readonly monotonicMs: number };

export class AgentGateway {
  readonly gateway: Gateway;
  readonly #save: (keys: readonly SentNodeKey[]) => void;
  readonly #access: GatewayAccess;

  private constructor(gateway: Gateway, access: GatewayAccess, save: (keys: readonly SentNodeKey[]) => void) {
    this.gateway = gateway;
    this.#access = access;
    this.#save = save;
  }

  /**
   * Opens the gateway at the node's address, on the port of the last start if any port will do.
   *
   * @throws MeshError gateway/conflict if the port cannot be opened, gateway/invalid for a certificate that
   *   cannot be used, address/invalid
   */
  static async open(
    options: AgentOptions,
    parts: Pick<GatewayOptions, "task" | "logs" | "networks">,
  ): Promise<AgentGateway> {
    const { stateDir, log } = options;
    const saved = readGatewayState(stateDir);
    const access = new GatewayAccess(saved?.keys ?? []);
    const { gatewayTls } = options;
    const gateway = await openGateway(options, saved?.port ?? 0, {
      ...(gatewayTls !== undefined && { tls: readCertificate(gatewayTls) }),
      keys: () => access.keys,
      ...parts,
      clocks: {
        wallMs: Date.now,
        registryMs: () => access.registryMs(),
        monotonicMs: () => performance.now(),
      },
      log,
    });
    const save = (keys: readonly SentNodeKey[]): void => {
      try {
        writeGatewayState(stateDir, { port: gateway.port, keys: [...keys] });
      } catch (error) {
        log((error as Error).message);
      }
    };
    save(saved?.keys ?? []);
    return new AgentGateway(gateway, access, save);
  }

  /** The registry's time, or this machine's before it is known; epoch milliseconds. */
  nowMs(): number {
    return this.#access.registryMs() ?? Date.now();
  }

  /** Takes the keys and the time of an assignment. */
  apply({ gatewayKeys, nowMs }: Pick<Assignment, "gatewayKeys" | "nowMs">): void {
    if (this.#access.take(gatewayKeys, nowMs)) this.#save(gatewayKeys);
  }
}

/** What proofs are checked with: the node's keys, and the registry's time. */
class GatewayAccess {
  #sent: readonly SentNodeKey[];
  keys: readonly { readonly id: string; readonly key: Buffer }[];
  #time: RegistryTime | null = null;

  constructor(sent: readonly SentNodeKey[]) {
    this.#sent = sent;
    this.keys = sent.map(decoded);
  }

  /** True if the keys changed. */
  take(sent: readonly SentNodeKey[], nowMs: number): boolean {
    this.#time = { nowMs, monotonicMs: performance.now() };
    if (JSON.stringify(sent) === JSON.stringify(this.#sent)) return false;
    this.#sent = sent;
    this.keys = sent.map(decoded);
    return true;
  }

  /** Epoch milliseconds; null before the first assignment. */
  registryMs(): number | null {
    return this.#time === null ? null : this.#time.nowMs + performance.now() - this.#time.monotonicMs;
  }
}

function decoded({ id, key }: SentNodeKey): { id: string; key: Buffer } {
  return { id, key: Buffer.from(key, "base64url") };
}

/** Reads the files of a certificate, and checks that the key is the certificate's. */
function readCertificate({ certFile, keyFile }: NonNullable<AgentOptions["gatewayTls"]>): GatewayCertificate {
  try {
    const certificate = { cert: readFileSync(certFile), key: readFileSync(keyFile) };
    createSecureContext(certificate);
    return certificate;
  } catch (cause) {
    throw new MeshError(
      "gateway/invalid",
      `cannot use --gateway-cert ${certFile} with --gateway-key ${keyFile}: ${(cause as Error).message}; both are PEM files, and the key is the certificate's`,
      { blame: "operator", retry: "never", cause },
    );
  }
}

async function openGateway(
  { address, gatewayListen, gatewayPort }: AgentOptions,
  lastPort: number,
  options: GatewayOptions,
): Promise<Gateway> {
  const host = gatewayListen ?? (await listenHost(address));
  if (gatewayPort === 0 && lastPort !== 0) {
    try {
      return await Gateway.open(host, lastPort, options);
    } catch {
      // Another process has it now.
    }
  }
  try {
    return await Gateway.open(host, gatewayPort, options);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === "EADDRINUSE" ? "another process listens there" : message;
    throw new MeshError(
      "gateway/conflict",
      `cannot open ${host}:${gatewayPort} for the gateway: ${reason}; choose another port with --gateway-port N`,
      { blame: "operator", retry: "never", cause: error },
    );
  }
}
