// Lattice ECP5 Versa: clocks, reset and pins around the timing harness.
//
// `pll` and `timing_harness` are written by `cargo xtask bitstream --board ecp5-versa --harness`.
module board(
   input clk100,
   input rst_n,
   input [1:0] switch,
   output [7:0] led,
   output uart_tx
);
   wire clock, core_clock, locked;
   pll pll(.clkin(clk100), .clkout0(clock), .clkout1(core_clock), .locked(locked));

   // Asserted at once, released in step with the clock.
   wire held = !rst_n || !locked;
   reg [2:0] reset = 3'b111;
   always @(posedge clock or posedge held)
      if (held) reset <= 3'b111;
      else reset <= {reset[1:0], 1'b0};

   reg [1:0] serial = 0;
   always @(posedge clock) serial <= {serial[0], switch[0]};

   // LEDs are low-active. LED 0 shows the signature, which no one can read by eye: it keeps the device from being optimised away.
   wire signature;
   wire [7:0] leds;
   assign led = ~{leds[7:1], signature};
   assign uart_tx = switch[1];
   timing_harness harness(
      .clock(clock), .core_clock(core_clock), .reset(reset[2]),
      .serial_in(serial[1]), .serial_out(signature), .leds(leds)
   );
endmodule
