#!/bin/bash
# A module of dracut: the reports to Azure of what fails in the initramfs. It goes to
# /usr/lib/dracut/modules.d/90azprov, with 10-azprov.conf and azprov-report-failure@.service
# beside it.

# Only where it is asked for: add_dracutmodules+=" azprov "
check() {
    return 255
}

depends() {
    echo systemd
}

# What Ignition has a unit for (its dracut/30ignition). The umount stage is ExecStop= of
# ignition-mount.service.
ignition_units() {
    echo ignition-fetch-offline ignition-fetch ignition-kargs ignition-disks ignition-mount ignition-files
}

install() {
    local unit
    inst_binary /usr/bin/azprov
    # What reads the journal and the units' results.
    inst_multiple sh journalctl systemctl
    # shellcheck disable=SC2154 # dracut sets moddir and systemdsystemunitdir
    inst_simple "$moddir/azprov-report-failure@.service" "$systemdsystemunitdir/azprov-report-failure@.service"
    for unit in $(ignition_units); do
        inst_simple "$moddir/10-azprov.conf" "$systemdsystemunitdir/$unit.service.d/10-azprov.conf"
    done
}

installkernel() {
    # The network of Hyper-V, and the channel to the host.
    hostonly='' instmods hv_netvsc hv_utils
}
