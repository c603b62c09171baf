#!/bin/sh
# machine.sh PROGRAM [ARG...] - runs a program as root in a virtual machine with Debian's stock kernel: for what the
# kernel of this machine lacks, such as IPIP. The status is the program's; 77: no such machine can be had, and why.
#
# The machine sees this one's files, read-only, with /tmp, /run and /var/tmp of its own, and has no network. The kernel
# comes from the mirror that apt uses, into $MACHINE or ~/.cache/calico-libnetwork/machine; nothing is installed.
# $MACHINE_SECONDS (900) bounds the whole; where the processor is emulated, programs take many times as long.
set -eu
cache=${MACHINE:-${XDG_CACHE_HOME:-$HOME/.cache}/calico-libnetwork/machine}
lacks() { echo "machine.sh: $*" >&2; exit 77; }
[ "$(id -u)" = 0 ] || lacks 'needs root'
for program in qemu-system-x86_64 cpio depmod dpkg-deb; do
  command -v "$program" >/dev/null || lacks "needs $program (packages qemu-system-x86, cpio, kmod)"
done
busybox=$(command -v busybox) || lacks 'needs busybox-static'
if ldd "$busybox" >/dev/null 2>&1; then lacks 'needs busybox-static, not a busybox with libraries'; fi
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
work=$cache/work.$$
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/share"

if [ ! -d "$cache/kernel" ]; then
  package=$(apt-cache depends linux-image-amd64 2>/dev/null | awk '$1 == "Depends:" && /linux-image-[0-9]/ { print $2; exit }')
  [ -n "$package" ] || lacks 'apt knows no linux-image-amd64: run apt-get update'
  (cd "$work" && apt-get -qq -o APT::Sandbox::User=root download "$package") || lacks "cannot download $package"
  dpkg-deb -x "$work"/linux-image-*.deb "$work/kernel"
  depmod -b "$work/kernel" "$(ls "$work/kernel/lib/modules")"
  mv "$work/kernel" "$cache/kernel"
fi
release=$(ls "$cache/kernel/lib/modules")
modules=$cache/kernel/lib/modules/$release

# Each module after those that it needs; modules.dep lists these last first.
in_order() {
  for name; do
    grep "/$name\.ko:" "$modules/modules.dep" | tr -d : | awk '{ for (i = NF; i > 0; i--) print $i }'
  done | awk '!seen[$0]++'
}

root=$work/root
mkdir -p "$root/bin" "$root/proc" "$root/sys" "$root/dev" "$root/modules" "$root/host"
cp "$busybox" "$root/bin/busybox"
at=100
for path in $(in_order virtio_pci 9pnet_virtio 9p); do
  cp "$modules/$path" "$root/modules/$at-${path##*/}"
  at=$((at + 1))
done
cat >"$root/init" <<'INIT'
#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc
for module in /modules/*; do $b insmod "$module"; done
$b mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=1048576,cache=loose files /host
$b mount -t proc proc /host/proc
$b mount -t sysfs sysfs /host/sys
$b mount -t devtmpfs dev /host/dev
for folder in tmp run var/tmp; do $b mount -t tmpfs tmpfs "/host/$folder"; done
$b mkdir /host/tmp/share
$b mount -t 9p -o trans=virtio,version=9p2000.L share /host/tmp/share
exec $b switch_root /host /bin/sh /tmp/share/command
INIT
chmod +x "$root/init"
(cd "$root" && find . | cpio --quiet -o -H newc | gzip -1) >"$work/initrd"

# What the kernel loads by itself comes from where its package was unpacked, too.
quoted() { for word; do printf "'%s' " "$(printf %s "$word" | sed "s/'/'\\\\''/g")"; done; }
cat >"$work/share/command" <<COMMAND
printf '#!/bin/sh\nexec /sbin/modprobe -d %s "\$@"\n' '$cache/kernel' >/tmp/modprobe
chmod +x /tmp/modprobe
echo /tmp/modprobe >/proc/sys/kernel/modprobe
ip link set lo up
export HOME=/tmp PATH='$PATH' MACHINE_INSIDE=1
cd '$PWD'
$(quoted "$@") >/tmp/share/output 2>&1
echo \$? >/tmp/share/status
sync
busybox poweroff -f
COMMAND

timeout "${MACHINE_SECONDS:-900}" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 4096 \
  -nographic -no-reboot -nic none -kernel "$cache/kernel/boot/vmlinuz-$release" -initrd "$work/initrd" \
  -append 'console=ttyS0 quiet panic=-1' \
  -virtfs local,path=/,mount_tag=files,security_model=none,readonly=on,multidevs=remap \
  -virtfs local,path="$work/share",mount_tag=share,security_model=none \
  </dev/null >"$work/console" 2>&1 || true
if [ ! -s "$work/share/status" ]; then
  tail -n 40 "$work/console" >&2
  cat "$work/share/output" >&2 2>/dev/null || true
  echo 'machine.sh: the machine ended, or its time did, before the program' >&2
  exit 1
fi
cat "$work/share/output"
exit "$(cat "$work/share/status")"
