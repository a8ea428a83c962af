#!/bin/sh
# Runs workerd so that it ends with its parent and opens no database that another workerd has open. Both are
# guarantees of the Linux kernel. Where setpriv or flock is missing, or a filter of system calls refuses what setpriv
# does, `waggle up` ends a workerd of an earlier mesh before it starts another (orphans.ts).
#
#   WAGGLE_WORKERD         the program
#   WAGGLE_WORKERD_PARENT  process id of the parent
#   WAGGLE_DATABASE_LOCK   the file to lock; empty for a process without a database
umask 077
set -- "$WAGGLE_WORKERD" "$@"
if [ -n "$WAGGLE_DATABASE_LOCK" ] && flock --help 2>&1 | grep -q no-fork; then
  # workerd inherits the lock. A killed workerd takes a moment to exit.
  set -- flock --exclusive --wait 5 --conflict-exit-code 75 --no-fork "$WAGGLE_DATABASE_LOCK" "$@"
fi
if setpriv --pdeathsig KILL true 2> /dev/null; then
  # The parent may have ended before the kernel was asked for the signal.
  exec setpriv --pdeathsig KILL sh -c '[ "$PPID" = "$WAGGLE_WORKERD_PARENT" ] && exec "$@"' sh "$@"
fi
exec "$@"
