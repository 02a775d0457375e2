`timescale 1ns/1ns
module top;
reg [5:0] i = 0;
reg [3:0] r, z = 4'bz, pick;
reg [63:0] w = 64'hx;
reg [32:0] acc = 1;
reg eq, same;
reg [2:0] kind, red;
reg [11:0] part = 12'bz;
initial begin
    while (i < 6'd40) begin
        #3 r = {i[1:0], 1'bx, i[2]};
        case (i[1:0])
            2'd0: z = 4'bz10x;
            2'd1: z = r & 4'b0011;
            default: z = z << 1'b1;
        endcase
        w = {w[59:0], z};
        acc = acc * 33'd77 + i;
        eq = r == z;
        same = r === z;
        pick = r[0] ? z : i[3:0];
        part[i +: 3] = z[2:0];
        casez (z)
            4'b1zzx: kind = 3'd1;
            4'bzz01: kind = 3'd2;
            4'bx1zz: kind = 3'd3;
            default: kind = 3'bz0x;
        endcase
        red = {&z, |z, ^z};
        i = i + 6'd1;
    end
    $display("%h %b %d %b", w, part, acc, red);
    $finish(0);
end
endmodule
