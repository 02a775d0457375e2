`timescale 1ns/1ns
// cases/vm/example.sva
module top;
reg clk = 0;
reg [7:0] cnt = 0, a = 8'h11, b = 8'h22;
always #5 clk = ~clk;
always @(posedge clk) cnt <= cnt + 8'd1;
always @(posedge clk) begin a <= b; b <= a; end
initial begin #27 $display("cnt=%0d a=%h b=%h t=%0t", cnt, a, b, $time); $finish(0); end
endmodule
