// The tolerance of clocks that are set back.

/** A step back of up to this is ignored, milliseconds: NTP corrects a clock by such steps. */
export const clockToleranceMs = 1_000;
