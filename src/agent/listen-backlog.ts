/**
 * How many connections may wait until a busy process accepts them; the kernel caps it (net.core.somaxconn). Node's
 * default is 511: a burst of more looks connected to its clients, waits for retransmissions, and ends in resets.
 */
export const listenBacklog = 4_096;
