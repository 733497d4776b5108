# AMD Alveo U250 (xcu250-figd2104-2L-e). Pins as in the card's master constraints file; lanes follow from the IP's location.
set_property -dict {PACKAGE_PIN AM11} [get_ports pcie_refclk_p]
set_property -dict {PACKAGE_PIN AM10} [get_ports pcie_refclk_n]
create_clock -name pcie_refclk -period 10.000 [get_ports pcie_refclk_p]
set_property -dict {PACKAGE_PIN BD21 IOSTANDARD LVCMOS12 PULLUP true} [get_ports pcie_perst_n]
set_false_path -from [get_ports pcie_perst_n]

set_property -dict {PACKAGE_PIN BC21 IOSTANDARD LVCMOS12} [get_ports {led[0]}]
set_property -dict {PACKAGE_PIN BB21 IOSTANDARD LVCMOS12} [get_ports {led[1]}]
set_property -dict {PACKAGE_PIN BA20 IOSTANDARD LVCMOS12} [get_ports {led[2]}]
set_false_path -to [get_ports {led[*]}]

# Engine's and core's clocks cross by Gray-coded pointers and synchronisers: no path may be longer than the shorter period.
set_max_delay -datapath_only -from [get_clocks -of_objects [get_pins half/I]] -to [get_clocks -of_objects [get_pins half/O]] 4.000
set_max_delay -datapath_only -from [get_clocks -of_objects [get_pins half/O]] -to [get_clocks -of_objects [get_pins half/I]] 4.000

set_property CONFIG_VOLTAGE 1.8 [current_design]
set_property BITSTREAM.GENERAL.COMPRESS TRUE [current_design]
set_property BITSTREAM.CONFIG.CONFIGFALLBACK ENABLE [current_design]
set_property BITSTREAM.CONFIG.UNUSEDPIN PULLUP [current_design]
set_property CONFIG_MODE SPIx4 [current_design]
set_property BITSTREAM.CONFIG.SPI_BUSWIDTH 4 [current_design]
set_property BITSTREAM.CONFIG.SPI_32BIT_ADDR YES [current_design]
