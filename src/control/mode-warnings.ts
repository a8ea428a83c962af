// Warnings about the mode of a service: how one in mode tcp is reached, and one that may need it.

import type { ServiceSpec } from "../domain/model/service.ts";

/** The protocols of well-known target ports, none of them HTTP. */
const protocols: ReadonlyMap<number, string> = new Map([
  [21, "FTP"],
  [22, "SSH"],
  [25, "SMTP"],
  [110, "POP3"],
  [143, "IMAP"],
  [389, "LDAP"],
  [465, "SMTP"],
  [587, "SMTP"],
  [636, "LDAP"],
  [993, "IMAP"],
  [1433, "SQL Server"],
  [1521, "Oracle"],
  [1883, "MQTT"],
  [3306, "MySQL"],
  [4222, "NATS"],
  [5432, "PostgreSQL"],
  [5672, "AMQP"],
  [6379, "Redis"],
  [8883, "MQTT"],
  [9042, "Cassandra"],
  [9092, "Kafka"],
  [11211, "memcached"],
  [27017, "MongoDB"],
]);

/**
 * How a service in mode tcp is reached on Cloudflare.
 *
 * @param isOnCloudflare its Workers have no ports of their own choice
 */
export function reachWarnings({ name, labels, ports }: ServiceSpec, isOnCloudflare: boolean): string[] {
  if (labels["waggle.mode"] !== "tcp" || !isOnCloudflare || ports.length === 0) return [];
  return [
    `${name} is in mode tcp: a Worker on Cloudflare has no port for it, so that it is reached at balancers of your own only`,
  ];
}

/** Target ports that are usually not HTTP's, of a service that states no mode. */
export function protocolWarnings({ name, labels, ports }: ServiceSpec): string[] {
  if (labels["waggle.mode"] !== undefined) return [];
  return ports.flatMap(({ target }) => {
    const protocol = protocols.get(target);
    if (protocol === undefined) return [];
    return [
      `target port ${target} is usually ${protocol}, and ${name} gets HTTP requests: if it does not speak HTTP, set --label-add waggle.mode=tcp, else waggle.mode=http`,
    ];
  });
}
