// AMD Alveo U250: pcie4_uscale_plus at Gen3 x16 with the device at 512 bits behind it, demo user logic on its streams.
//
// `top`, `pinring_pattern_source` and `pinring_checking_sink` are written by
// `cargo xtask verilog --shim uscale-plus --width 512 --demo`, `pcie4_uscale_plus_0` by build.tcl.
module board(
   input pcie_refclk_p,
   input pcie_refclk_n,
   input pcie_perst_n,
   input [15:0] pcie_rx_p,
   input [15:0] pcie_rx_n,
   output [15:0] pcie_tx_p,
   output [15:0] pcie_tx_n,
   output [2:0] led
);
   // Seed of the demo pattern, and bytes of one packet of the source.
   localparam [31:0] SEED = 32'd1;
   localparam [47:0] PACKET = 48'd1048576;

   wire sys_clk, sys_clk_gt, perst_n;
   IBUFDS_GTE4 #(.REFCLK_HROW_CK_SEL(2'b00)) refclk(
      .I(pcie_refclk_p), .IB(pcie_refclk_n), .CEB(1'b0), .O(sys_clk_gt), .ODIV2(sys_clk));
   IBUF perst(.I(pcie_perst_n), .O(perst_n));

   // 250 MHz, and half of it for the soft core. The device takes the two as unrelated.
   wire clock, reset, core_clock;
   BUFGCE_DIV #(.BUFGCE_DIVIDE(2)) half(.I(clock), .CE(1'b1), .CLR(1'b0), .O(core_clock));

   wire [511:0] rq_data, rc_data, cq_data, cc_data;
   wire [15:0] rq_keep, cc_keep;
   wire [136:0] rq_user;
   wire [160:0] rc_user;
   wire [182:0] cq_user;
   wire [80:0] cc_user;
   wire rq_last, rc_last, cq_last, cc_last;
   wire rq_valid, rc_valid, cq_valid, cc_valid;
   wire [3:0] rq_ready, cc_ready;
   wire rc_ready, cq_ready;
   wire [1:0] np_req;
   wire [5:0] rq_number0, rq_number1;
   wire rq_number_valid0, rq_number_valid1;
   wire [3:0] nph_credits;
   wire [1:0] max_payload;
   wire [2:0] max_read_req;
   wire [3:0] rcb_status, msix_enable, msix_mask, flr;
   wire [15:0] function_status;
   wire [9:0] mgmt_addr;
   wire mgmt_read, mgmt_done;
   wire [31:0] mgmt_data;

   wire c2h_valid, c2h_ready, c2h_last, h2c_valid, h2c_ready, h2c_last, h2c_user;
   wire [511:0] c2h_data, h2c_data;
   wire [63:0] c2h_keep, h2c_keep;
   wire [15:0] c2h_dest;
   wire [7:0] leds;
   wire busy, discontinued;

   top device(
      .clock(clock), .core_clock(core_clock), .reset(reset),
      .s_axis_rq_tvalid(rq_valid), .s_axis_rq_tready(rq_ready), .s_axis_rq_tdata(rq_data), .s_axis_rq_tkeep(rq_keep),
      .s_axis_rq_tlast(rq_last), .s_axis_rq_tuser(rq_user),
      .pcie_rq_seq_num0(rq_number0), .pcie_rq_seq_num_vld0(rq_number_valid0), .pcie_rq_seq_num1(rq_number1),
      .pcie_rq_seq_num_vld1(rq_number_valid1), .pcie_tfc_nph_av(nph_credits),
      .m_axis_rc_tvalid(rc_valid), .m_axis_rc_tready(rc_ready), .m_axis_rc_tdata(rc_data), .m_axis_rc_tlast(rc_last),
      .m_axis_rc_tuser(rc_user),
      .m_axis_cq_tvalid(cq_valid), .m_axis_cq_tready(cq_ready), .m_axis_cq_tdata(cq_data), .m_axis_cq_tlast(cq_last),
      .m_axis_cq_tuser(cq_user), .pcie_cq_np_req(np_req),
      .s_axis_cc_tvalid(cc_valid), .s_axis_cc_tready(cc_ready), .s_axis_cc_tdata(cc_data), .s_axis_cc_tkeep(cc_keep),
      .s_axis_cc_tlast(cc_last), .s_axis_cc_tuser(cc_user),
      .cfg_max_payload(max_payload), .cfg_max_read_req(max_read_req), .cfg_rcb_status(rcb_status),
      .cfg_function_status(function_status), .cfg_interrupt_msix_enable(msix_enable), .cfg_interrupt_msix_mask(msix_mask),
      .cfg_mgmt_addr(mgmt_addr), .cfg_mgmt_read(mgmt_read), .cfg_mgmt_read_data(mgmt_data),
      .cfg_mgmt_read_write_done(mgmt_done), .discontinued(discontinued),
      .s_axis_c2h_tvalid(c2h_valid), .s_axis_c2h_tready(c2h_ready), .s_axis_c2h_tdata(c2h_data),
      .s_axis_c2h_tkeep(c2h_keep), .s_axis_c2h_tlast(c2h_last), .s_axis_c2h_tdest(c2h_dest),
      .m_axis_h2c_tvalid(h2c_valid), .m_axis_h2c_tready(h2c_ready), .m_axis_h2c_tdata(h2c_data),
      .m_axis_h2c_tkeep(h2c_keep), .m_axis_h2c_tlast(h2c_last), .m_axis_h2c_tdest(), .m_axis_h2c_tuser(h2c_user),
      .leds(leds), .busy(busy)
   );

   // One's own user logic goes here.
   wire [15:0] mismatches, errors;
   wire malformed;
   pinring_pattern_source source(
      .clock(clock), .reset(reset), .enable(1'b1), .length(PACKET), .seed(SEED), .dest(16'd0),
      .m_tvalid(c2h_valid), .m_tready(c2h_ready), .m_tdata(c2h_data), .m_tkeep(c2h_keep), .m_tlast(c2h_last),
      .m_tdest(c2h_dest), .packets()
   );
   pinring_checking_sink sink(
      .clock(clock), .reset(reset), .clear(1'b0), .seed(SEED),
      .s_tvalid(h2c_valid), .s_tready(h2c_ready), .s_tdata(h2c_data), .s_tkeep(h2c_keep), .s_tlast(h2c_last),
      .s_tuser(h2c_user), .bytes(), .packets(), .mismatches(mismatches), .errors(errors), .malformed(malformed),
      .wrong_packet(), .wrong_position()
   );
   // The firmware's heartbeat; transfers running; something was wrong.
   assign led = {discontinued || malformed || mismatches != 0 || errors != 0, busy, leds[0]};

   pcie4_uscale_plus_0 pcie(
      .pci_exp_txn(pcie_tx_n), .pci_exp_txp(pcie_tx_p), .pci_exp_rxn(pcie_rx_n), .pci_exp_rxp(pcie_rx_p),
      .sys_clk(sys_clk), .sys_clk_gt(sys_clk_gt), .sys_reset(perst_n),
      .user_clk(clock), .user_reset(reset), .user_lnk_up(), .phy_rdy_out(),
      .s_axis_rq_tvalid(rq_valid), .s_axis_rq_tready(rq_ready), .s_axis_rq_tdata(rq_data), .s_axis_rq_tkeep(rq_keep),
      .s_axis_rq_tlast(rq_last), .s_axis_rq_tuser(rq_user),
      .pcie_rq_seq_num0(rq_number0), .pcie_rq_seq_num_vld0(rq_number_valid0), .pcie_rq_seq_num1(rq_number1),
      .pcie_rq_seq_num_vld1(rq_number_valid1), .pcie_tfc_nph_av(nph_credits),
      .m_axis_rc_tvalid(rc_valid), .m_axis_rc_tready(rc_ready), .m_axis_rc_tdata(rc_data), .m_axis_rc_tkeep(),
      .m_axis_rc_tlast(rc_last), .m_axis_rc_tuser(rc_user),
      .m_axis_cq_tvalid(cq_valid), .m_axis_cq_tready(cq_ready), .m_axis_cq_tdata(cq_data), .m_axis_cq_tkeep(),
      .m_axis_cq_tlast(cq_last), .m_axis_cq_tuser(cq_user), .pcie_cq_np_req(np_req), .pcie_cq_np_req_count(),
      .s_axis_cc_tvalid(cc_valid), .s_axis_cc_tready(cc_ready), .s_axis_cc_tdata(cc_data), .s_axis_cc_tkeep(cc_keep),
      .s_axis_cc_tlast(cc_last), .s_axis_cc_tuser(cc_user),
      .cfg_max_payload(max_payload), .cfg_max_read_req(max_read_req), .cfg_rcb_status(rcb_status),
      .cfg_function_status(function_status), .cfg_interrupt_msix_enable(msix_enable), .cfg_interrupt_msix_mask(msix_mask),
      .cfg_mgmt_addr(mgmt_addr), .cfg_mgmt_function_number(8'd0), .cfg_mgmt_write(1'b0), .cfg_mgmt_write_data(32'd0),
      .cfg_mgmt_byte_enable(4'd0), .cfg_mgmt_read(mgmt_read), .cfg_mgmt_read_data(mgmt_data),
      .cfg_mgmt_read_write_done(mgmt_done), .cfg_mgmt_debug_access(1'b0),
      .cfg_msg_transmit(1'b0), .cfg_msg_transmit_type(3'd0), .cfg_msg_transmit_data(32'd0), .cfg_fc_sel(3'd0),
      .cfg_dsn(64'd0), .cfg_power_state_change_ack(1'b1), .cfg_err_cor_in(1'b0), .cfg_err_uncor_in(1'b0),
      // The capability is off in build.tcl; a reset of the function that came all the same would not hang the IP.
      .cfg_flr_in_process(flr), .cfg_flr_done(flr), .cfg_vf_flr_func_num(8'd0), .cfg_vf_flr_done(1'b0),
      .cfg_link_training_enable(1'b1), .cfg_interrupt_int(4'd0), .cfg_interrupt_pending(4'd0),
      .cfg_pm_aspm_l1_entry_reject(1'b0), .cfg_pm_aspm_tx_l0s_entry_disable(1'b0), .cfg_config_space_enable(1'b1),
      .cfg_req_pm_transition_l23_ready(1'b0), .cfg_hot_reset_in(1'b0), .cfg_ds_port_number(8'd0),
      .cfg_ds_bus_number(8'd0), .cfg_ds_device_number(5'd0)
   );
endmodule
