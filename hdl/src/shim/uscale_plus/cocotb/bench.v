// The device behind its shim, with the ports of the IP that the shim does not look at: what cocotbext-pcie's model is connected to.
`ifdef WIDTH_512
 `define D 16
 `define RQ 137
 `define RC 161
 `define CQ 183
 `define CC 81
`else
 `define D 8
 `define RQ 62
 `define RC 75
 `define CQ 88
 `define CC 33
`endif

module bench(
   input wire clock, input wire core_clock, input wire reset,
   output wire s_axis_rq_tvalid, input wire s_axis_rq_tready, output wire [32*`D-1:0] s_axis_rq_tdata,
   output wire [`D-1:0] s_axis_rq_tkeep, output wire s_axis_rq_tlast, output wire [`RQ-1:0] s_axis_rq_tuser,
   input wire m_axis_rc_tvalid, output wire m_axis_rc_tready, input wire [32*`D-1:0] m_axis_rc_tdata,
   input wire [`D-1:0] m_axis_rc_tkeep, input wire m_axis_rc_tlast, input wire [`RC-1:0] m_axis_rc_tuser,
   input wire m_axis_cq_tvalid, output wire m_axis_cq_tready, input wire [32*`D-1:0] m_axis_cq_tdata,
   input wire [`D-1:0] m_axis_cq_tkeep, input wire m_axis_cq_tlast, input wire [`CQ-1:0] m_axis_cq_tuser,
   output wire s_axis_cc_tvalid, input wire s_axis_cc_tready, output wire [32*`D-1:0] s_axis_cc_tdata,
   output wire [`D-1:0] s_axis_cc_tkeep, output wire s_axis_cc_tlast, output wire [`CC-1:0] s_axis_cc_tuser,
   input wire [5:0] pcie_rq_seq_num0, input wire pcie_rq_seq_num_vld0, input wire [5:0] pcie_rq_seq_num1,
   input wire pcie_rq_seq_num_vld1, input wire [3:0] pcie_tfc_nph_av,
   output wire [1:0] pcie_cq_np_req,
   input wire [1:0] cfg_max_payload, input wire [2:0] cfg_max_read_req, input wire [3:0] cfg_rcb_status,
   input wire [15:0] cfg_function_status, input wire [3:0] cfg_interrupt_msix_enable,
   input wire [3:0] cfg_interrupt_msix_mask,
   output wire [9:0] cfg_mgmt_addr, output wire [7:0] cfg_mgmt_function_number, output wire cfg_mgmt_write,
   output wire [31:0] cfg_mgmt_write_data, output wire [3:0] cfg_mgmt_byte_enable, output wire cfg_mgmt_read,
   input wire [31:0] cfg_mgmt_read_data, input wire cfg_mgmt_read_write_done, output wire cfg_mgmt_debug_access,
   input wire s_axis_c2h_tvalid, output wire s_axis_c2h_tready, input wire [32*`D-1:0] s_axis_c2h_tdata,
   input wire s_axis_c2h_tlast, input wire [15:0] s_axis_c2h_tdest, input wire [4*`D-1:0] s_axis_c2h_tuser,
   output wire m_axis_h2c_tvalid, input wire m_axis_h2c_tready, output wire [32*`D-1:0] m_axis_h2c_tdata,
   output wire m_axis_h2c_tlast, output wire [15:0] m_axis_h2c_tdest, output wire [4*`D:0] m_axis_h2c_tuser,
   output wire discontinued, output wire busy);

// TKEEP goes with TUSER, whose error bit is the highest of H2C's, so that the bench sees one item a beat.
wire [4*`D-1:0] h2c_tkeep;
wire h2c_error;
assign m_axis_h2c_tuser = {h2c_error, h2c_tkeep};

assign cfg_mgmt_function_number = 8'd0;
assign cfg_mgmt_write = 1'b0;
assign cfg_mgmt_write_data = 32'd0;
assign cfg_mgmt_byte_enable = 4'd0;
assign cfg_mgmt_debug_access = 1'b0;

top device(
   .clock(clock), .core_clock(core_clock), .reset(reset),
   .s_axis_rq_tvalid(s_axis_rq_tvalid), .s_axis_rq_tready({4{s_axis_rq_tready}}), .s_axis_rq_tdata(s_axis_rq_tdata),
   .s_axis_rq_tkeep(s_axis_rq_tkeep), .s_axis_rq_tlast(s_axis_rq_tlast), .s_axis_rq_tuser(s_axis_rq_tuser),
   .m_axis_rc_tvalid(m_axis_rc_tvalid), .m_axis_rc_tready(m_axis_rc_tready), .m_axis_rc_tdata(m_axis_rc_tdata),
   .m_axis_rc_tlast(m_axis_rc_tlast), .m_axis_rc_tuser(m_axis_rc_tuser),
   .m_axis_cq_tvalid(m_axis_cq_tvalid), .m_axis_cq_tready(m_axis_cq_tready), .m_axis_cq_tdata(m_axis_cq_tdata),
   .m_axis_cq_tlast(m_axis_cq_tlast), .m_axis_cq_tuser(m_axis_cq_tuser),
   .s_axis_cc_tvalid(s_axis_cc_tvalid), .s_axis_cc_tready({4{s_axis_cc_tready}}), .s_axis_cc_tdata(s_axis_cc_tdata),
   .s_axis_cc_tkeep(s_axis_cc_tkeep), .s_axis_cc_tlast(s_axis_cc_tlast), .s_axis_cc_tuser(s_axis_cc_tuser),
   .pcie_rq_seq_num0(pcie_rq_seq_num0), .pcie_rq_seq_num_vld0(pcie_rq_seq_num_vld0), .pcie_rq_seq_num1(pcie_rq_seq_num1),
   .pcie_rq_seq_num_vld1(pcie_rq_seq_num_vld1), .pcie_tfc_nph_av(pcie_tfc_nph_av),
   .pcie_cq_np_req(pcie_cq_np_req), .cfg_max_payload(cfg_max_payload), .cfg_max_read_req(cfg_max_read_req),
   .cfg_rcb_status(cfg_rcb_status), .cfg_function_status(cfg_function_status),
   .cfg_interrupt_msix_enable(cfg_interrupt_msix_enable), .cfg_interrupt_msix_mask(cfg_interrupt_msix_mask),
   .cfg_mgmt_addr(cfg_mgmt_addr), .cfg_mgmt_read(cfg_mgmt_read), .cfg_mgmt_read_data(cfg_mgmt_read_data),
   .cfg_mgmt_read_write_done(cfg_mgmt_read_write_done), .discontinued(discontinued),
   .s_axis_c2h_tvalid(s_axis_c2h_tvalid), .s_axis_c2h_tready(s_axis_c2h_tready), .s_axis_c2h_tdata(s_axis_c2h_tdata),
   .s_axis_c2h_tkeep(s_axis_c2h_tuser), .s_axis_c2h_tlast(s_axis_c2h_tlast), .s_axis_c2h_tdest(s_axis_c2h_tdest),
   .m_axis_h2c_tvalid(m_axis_h2c_tvalid), .m_axis_h2c_tready(m_axis_h2c_tready), .m_axis_h2c_tdata(m_axis_h2c_tdata),
   .m_axis_h2c_tkeep(h2c_tkeep), .m_axis_h2c_tlast(m_axis_h2c_tlast), .m_axis_h2c_tdest(m_axis_h2c_tdest),
   .m_axis_h2c_tuser(h2c_error), .leds(), .busy(busy));
endmodule
