int lad_cl_none;
