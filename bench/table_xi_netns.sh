#!/bin/sh
# Table XI over a real link: two network namespaces joined by a virtual cable that `tc` shapes.
#
#   table_xi_netns.sh [FLAGS OF table_xi.py]       with RATE, DELAY, LOSS from the environment
#   RATE=20mbit DELAY=5ms LOSS=1% table_xi_netns.sh --photos 100
#
# Needs root (CAP_NET_ADMIN) and iproute2. A kernel without netem has no delay and no loss to give: then
# the cable is shaped to the rate alone (tbf), delay and loss are none, and the line says so. Where
# there are no namespaces or no tbf, one line says so and the client's own link model takes over.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
rate=${RATE:-20mbit}
delay=${DELAY:-5ms}
loss=${LOSS:-0%}
near=nearfar-near-$$
far=nearfar-far-$$

fall_back() {
  reason=$1
  shift
  echo "table_xi_netns: $reason: the client's link model instead" >&2
  model="up=$(echo "$rate" | sed 's/bit$//; s/k$/kbit/; s/m$/Mbit/; s/g$/Gbit/')/s"
  exec python3 "$here/table_xi.py" --link "$model $(echo "$model" | sed 's/^up/down/') delay=$delay loss=$loss" "$@"
}

clean_up() {
  ip netns del "$near" 2>/dev/null || true
  ip netns del "$far" 2>/dev/null || true
}
trap clean_up EXIT INT TERM

reason=
command -v ip >/dev/null && command -v tc >/dev/null || reason="no iproute2 here"
[ -n "$reason" ] || { ip netns add "$near" && ip netns add "$far"; } 2>/dev/null ||
  reason="no right to make network namespaces (CAP_NET_ADMIN)"
[ -n "$reason" ] || ip link add nf0 netns "$near" type veth peer name nf1 netns "$far" 2>/dev/null ||
  reason="no virtual cable (veth) here"
if [ -z "$reason" ]; then
  for end in "$near nf0 1" "$far nf1 2"; do
    # shellcheck disable=SC2086  # three words
    set_up() { ip -n "$1" link set lo up; ip -n "$1" addr add "10.77.0.$3/24" dev "$2"; ip -n "$1" link set "$2" up; }
    set_up $end
  done
  shaped=netem
  for end in "$near nf0" "$far nf1"; do
    name=${end% *} device=${end#* }
    tc -n "$name" qdisc add dev "$device" root handle 1: netem delay "$delay" loss "$loss" rate "$rate" limit 10000 \
      2>/dev/null || shaped=tbf
    [ "$shaped" = netem ] ||
      tc -n "$name" qdisc replace dev "$device" root tbf rate "$rate" burst 2kb latency 2s 2>/dev/null ||
      reason="neither netem nor tbf in this kernel"
  done
fi
[ -z "$reason" ] || { clean_up; set -- "$reason" "$@"; fall_back "$@"; }
[ "$shaped" = netem ] ||
  echo "table_xi_netns: no netem in this kernel: the rate $rate alone (tbf), without delay and loss" >&2
ip netns exec "$near" python3 "$here/table_xi.py" --link none --far-address 10.77.0.2 \
  --node-prefix "ip netns exec $far" "$@"
