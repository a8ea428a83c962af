#!/bin/sh
# Copies the certificates of an ACME client to the balancers: a hook of lego (--run-hook, --renew-hook) or certbot
# (--deploy-hook). Balancers use new files a second later, and refuse a half-copied pair until it is complete.
#
#   WAGGLE_BALANCERS      where to, for rsync: "lb1:/etc/waggle/tls/ lb2:/etc/waggle/tls/"
#   LEGO_CERT_PATH, LEGO_CERT_KEY_PATH, or RENEWED_LINEAGE: set by the client
#
# Keys arrive with mode 0640 and the group waggle, which must exist on both sides.
set -eu

if [ -z "${WAGGLE_BALANCERS:-}" ]; then
  echo "copy-certificates.sh: set WAGGLE_BALANCERS, such as \"lb1:/etc/waggle/tls/ lb2:/etc/waggle/tls/\"" >&2
  exit 2
fi
failed=0
for target in $WAGGLE_BALANCERS; do
  if [ -n "${RENEWED_LINEAGE:-}" ]; then
    # certbot: a folder of links for each name.
    rsync --archive --copy-links --chmod=D750,F640 --chown=:waggle "$RENEWED_LINEAGE" "$target" || failed=1
  else
    rsync --archive --chmod=F640 --chown=:waggle "$LEGO_CERT_PATH" "$LEGO_CERT_KEY_PATH" "$target" || failed=1
  fi
done
# The others have theirs; the client reports the failure.
exit $failed
