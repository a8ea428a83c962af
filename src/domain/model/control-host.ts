// The host name of the control API of a mesh that clients reach by a loopback address.

/**
 * Browsers resolve names under `localhost` to loopback (RFC 6761 §6.3), so the dashboard has a host name of its
 * own without any setting: its cookies go to no service at an address or at another name.
 */
export const localControlHost = "control.localhost";

/** Matches a Host header that names `control.localhost` or a name under it, which could set its cookies. */
export const localControlHostPattern = /^(?:[^:]*\.)?control\.localhost\.*(?::|$)/i;
