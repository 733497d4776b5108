// Lattice ECP5 Versa: clocks, reset and pins around the self-test image.
//
// `pll` and `top` (hdl/src/selftest) are written by `cargo xtask bitstream --board ecp5-versa`.
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

   // LEDs are low-active. Switches that differ inject a fault, whichever level "on" is; the image synchronises them.
   wire [7:0] leds;
   wire [1:0] fault = {switch[1] && !switch[0], switch[0] && !switch[1]};
   assign led = ~leds;
   top image(
      .clock(clock), .core_clock(core_clock), .reset(reset[2]),
      .fault(fault), .uart_tx(uart_tx), .leds(leds)
   );
endmodule
