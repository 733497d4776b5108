# vivado -mode batch -source build.tcl -tclargs GATEWARE [BUILD]
#
# GATEWARE: folder that `cargo xtask verilog --shim uscale-plus --width 512 --demo --out GATEWARE` wrote.
# BUILD: folder for the project, `build` unless given.
set here [file dirname [file normalize [info script]]]
if {[llength $argv] < 1 || [llength $argv] > 2} {
   puts stderr "usage: vivado -mode batch -source build.tcl -tclargs GATEWARE \[BUILD\]"
   exit 2
}
set gateware [file normalize [lindex $argv 0]]
set build [file normalize [expr {[llength $argv] == 2 ? [lindex $argv 1] : "build"}]]
set sources [list $gateware/pinring_uscale_plus_512.v $gateware/pinring_pattern_source_512.v \
   $gateware/pinring_checking_sink_512.v $gateware/firmware.hex]
foreach file $sources {
   if {![file exists $file]} {
      puts stderr "error: $file is missing: cargo xtask verilog --shim uscale-plus --width 512 --demo --out $gateware"
      exit 1
   }
}

create_project -force -part xcu250-figd2104-2L-e pinring $build
# The memory's image is read by $readmemh, by its name alone: as a source of the project it is found.
add_files -norecurse [concat $sources $here/board.v]
set_property file_type {Memory Initialization Files} [get_files firmware.hex]
add_files -fileset constrs_1 -norecurse $here/board.xdc
set_property top board [current_fileset]

create_ip -name pcie4_uscale_plus -vendor xilinx.com -library ip -module_name pcie4_uscale_plus_0
# What the shim needs: docs/shims.md. Ids are placeholders, as in the Windows driver's INX: vendor 1234 is nobody's.
set_property -dict [list \
   CONFIG.mode_selection {Advanced} \
   CONFIG.PL_LINK_CAP_MAX_LINK_SPEED {8.0_GT/s} \
   CONFIG.PL_LINK_CAP_MAX_LINK_WIDTH {X16} \
   CONFIG.axisten_if_width {512_bit} \
   CONFIG.axisten_freq {250} \
   CONFIG.AXISTEN_IF_EXT_512_CQ_STRADDLE {false} \
   CONFIG.AXISTEN_IF_EXT_512_RQ_STRADDLE {false} \
   CONFIG.AXISTEN_IF_EXT_512_RC_4TLP_STRADDLE {false} \
   CONFIG.axisten_if_enable_client_tag {true} \
   CONFIG.extended_tag_field {true} \
   CONFIG.pf0_dev_cap_max_payload {512_bytes} \
   CONFIG.perf_level {Extreme} \
   CONFIG.vendor_id {1234} \
   CONFIG.PF0_DEVICE_ID {5049} \
   CONFIG.PF0_CLASS_CODE {088000} \
   CONFIG.pf0_bar0_64bit {true} \
   CONFIG.pf0_bar0_prefetchable {false} \
   CONFIG.pf0_bar0_scale {Kilobytes} \
   CONFIG.pf0_bar0_size {128} \
   CONFIG.pf0_msi_enabled {false} \
   CONFIG.pf0_msix_enabled {true} \
   CONFIG.MSI_X_OPTIONS {MSI-X_External} \
   CONFIG.PF0_MSIX_CAP_TABLE_SIZE {00F} \
   CONFIG.PF0_MSIX_CAP_TABLE_BIR {BAR_1:0} \
   CONFIG.PF0_MSIX_CAP_TABLE_OFFSET {00004000} \
   CONFIG.PF0_MSIX_CAP_PBA_BIR {BAR_1:0} \
   CONFIG.PF0_MSIX_CAP_PBA_OFFSET {00005000} \
] [get_ips pcie4_uscale_plus_0]
generate_target all [get_ips pcie4_uscale_plus_0]

foreach {run until} {synth_1 {} impl_1 {-to_step write_bitstream}} {
   launch_runs $run {*}$until -jobs 4
   wait_on_run $run
   if {[get_property PROGRESS [get_runs $run]] ne "100%"} {
      puts stderr "error: $run ended with [get_property STATUS [get_runs $run]]"
      exit 1
   }
}
open_run impl_1
report_timing_summary -file $build/timing.txt
report_utilization -hierarchical -file $build/utilisation.txt
if {[get_property STATS.WNS [get_runs impl_1]] < 0 || [get_property STATS.WHS [get_runs impl_1]] < 0} {
   puts stderr "error: timing is not met: $build/timing.txt"
   exit 1
}
puts "bitstream: $build/pinring.runs/impl_1/board.bit"
